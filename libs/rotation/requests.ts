import { FencedError } from './errors.ts'
import { graceMsOf } from './grace.ts'
import type { RotateAnswer, RotationView } from './commands.ts'
import type { RotationRecord, RotationRequest } from './record.ts'
import { parseSchedule } from './schedule.ts'
import { type RotationStore, SUPPLIED } from './store.ts'
import type { ManagedSecret } from './work.ts'

const TRIES = 10

/** Puts on record that a rotation is wanted. A wish that waits already is kept, and the stronger of the two holds. */
export function requestRotation(
  store: RotationStore,
  secret: string,
  request: RotationRequest,
): Promise<RotationRecord> {
  return change(store, secret, ({ requested }) => ({
    requested: { ...request, revokeOld: request.revokeOld || requested?.revokeOld === true },
  }))
}

/** Puts a schedule in place of the cluster file's; null: the file's again. @throws ScheduleError */
export async function setSchedule(
  store: RotationStore,
  secret: string,
  { every, by, at }: { every: string | null; by: string; at: number },
): Promise<RotationRecord> {
  if (every !== null) parseSchedule(every)
  return change(store, secret, () => ({ schedule: every === null ? null : { every, by, at } }))
}

/** Why an operator's key cannot be taken now; undefined: it can. What waits for a rotation under way must not be replaced. */
export function whyNotSupplied(
  { provider }: Pick<ManagedSecret, 'provider'>,
  { rotation }: Pick<RotationRecord, 'rotation'>,
): string | undefined {
  if (!provider.awaitsKeys) return 'its provider makes keys by itself: rotate without a value'
  return rotation && rotation.generation === undefined
    ? 'a rotation is on its way with another key: supply the next one once that is live'
    : undefined
}

/** Has a new key wait, from an operator's hand, and asks for the rotation that makes it live. */
export async function supplyKey(
  store: RotationStore,
  secret: string,
  { id, value, request }: { id: string; value: string; request: RotationRequest },
): Promise<RotationRecord> {
  await store.putPending(secret, { rotation: SUPPLIED, id, value })
  return requestRotation(store, secret, request)
}

/** What operators may know of a secret's rotation. */
export function viewOf(record: RotationRecord, { every }: Pick<ManagedSecret, 'every'>): RotationView {
  const { secret, state, schedule, rotatedAt, next, rotation, requested, failure, history } = record
  return {
    secret,
    state,
    every: schedule?.every ?? every,
    scheduledBy: schedule?.by ?? 'cluster file',
    rotatedAt,
    nextAt: next?.at ?? null,
    graceUntil: rotation?.graceUntil ?? null,
    requestedBy: requested?.by ?? null,
    failure,
    history,
  }
}

/** What a rotation would do, in words, without doing any of it. */
export function describeRotation(
  { name, provider, holders }: ManagedSecret,
  record: RotationRecord,
  { revokeOld }: { revokeOld: boolean },
): Pick<RotateAnswer, 'steps' | 'graceMs'> {
  const graceMs = revokeOld ? 0 : graceMsOf(holders)
  const seconds = Math.ceil(graceMs / 1000)
  const waits = record.rotation ? [`wait for the rotation under way, which is ${record.state}`] : []
  const ends = provider.endsKeys
    ? [
        revokeOld
          ? 'end the old key at once: attempts that hold it may fail'
          : `keep both keys valid for ${seconds} s, until nobody holds the old one`,
        ...(provider.disable && !revokeOld ? ['turn the old key off'] : []),
        'end the old key, and see that it is refused',
      ]
    : []
  return {
    graceMs,
    steps: [
      ...waits,
      `have ${provider.account} make a new key`,
      'try it',
      `make it live as "${name}" and tell the sidecars`,
      ...ends,
    ],
  }
}

async function change(
  store: RotationStore,
  secret: string,
  make: (record: RotationRecord) => Partial<RotationRecord>,
): Promise<RotationRecord> {
  for (let tries = 1; ; tries++) {
    const { record, version } = await store.load(secret)
    const next = { ...record, ...make(record) }
    try {
      await store.save(next, version)
      return next
    } catch (error) {
      if (!(error instanceof FencedError) || tries === TRIES) throw error
    }
  }
}
