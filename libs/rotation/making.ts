import { randomBytes } from 'node:crypto'
import { FencedError, ProviderFailedError, ReplacedError } from './errors.ts'
import { graceMsOf } from './grace.ts'
import { identify, removeMade } from './orphans.ts'
import type { CurrentRotation } from './record.ts'
import { INTENTS_KEPT } from './record.ts'
import { parseSchedule } from './schedule.ts'
import { type PendingValue, SUPPLIED } from './store.ts'
import { type Change, inTime, keyNameOf, retrying, rotationOf, type Work } from './work.ts'

/** When the next rotation is due, by the schedule in force. */
export function plan({ record, secret, clock, random }: Work): Change {
  const every = record.schedule?.every ?? secret.every
  const now = clock.now()
  return {
    trackedFrom: record.trackedFrom ?? now,
    next: { at: parseSchedule(every).next(now, random), every },
  }
}

/**
 * Puts on record what is about to be made, before anything is. A first value is made because an operator wants it, never by
 * the schedule: where there is none, one may have been deleted.
 */
export async function begin(work: Work): Promise<Change> {
  const { record, secret, store, clock } = work
  const { requested } = record
  const live = await store.live(secret.name)
  if (!live && !requested)
    return { ...plan(work), state: 'idle', failure: null, note: 'there is no value to rotate' }
  const keyId = live && (live.keyId ?? (await identify(work, live.value)) ?? null)
  const rotation: CurrentRotation = {
    id: `${clock.now().toString(36)}-${randomBytes(6).toString('hex')}`,
    by: requested?.by ?? (record.state === 'failed' ? 'retry' : 'schedule'),
    startedAt: clock.now(),
    revokeOld: requested?.revokeOld ?? false,
    old: live ? { generation: live.generation, keyId: keyId ?? null } : null,
  }
  const intents = [...record.intents, rotation.id].slice(-INTENTS_KEPT)
  return { state: 'creating', rotation, intents, trackedFrom: record.trackedFrom ?? clock.now() }
}

/** Has the key made, unless it was: what waits for this rotation is adopted, what was made and lost is ended first. */
export async function create(work: Work): Promise<Change> {
  const { secret, store } = work
  const rotation = rotationOf(work)
  const waiting = await store.pending(secret.name)
  if (waiting?.rotation === rotation.id) return created(rotation, waiting.id)
  await removeMade(work)
  const supplied = waiting?.rotation === SUPPLIED ? waiting : undefined
  const request = {
    name: keyNameOf(work, rotation.id),
    oldKeyId: rotation.old?.keyId ?? null,
    supplied: supplied && { id: supplied.id, value: supplied.value },
  }
  const key = await inTime(work, 'create', (signal) => secret.provider.create({ ...request, signal }))
  await store.putPending(secret.name, { rotation: rotation.id, id: key.id, value: key.value })
  return created(rotation, key.id)
}

/** Tries the new key, as long as the provider may need to know it everywhere. */
export async function verify(work: Work): Promise<Change> {
  const { provider } = work.secret
  const key = await pendingOf(work)
  await retrying(work, work.limits.verifyMs, () =>
    inTime(work, 'verify', (signal) => provider.verify(key, signal)),
  )
  return { state: 'verified', key: key.id }
}

/** Makes the new value live, unless it is. Nothing that someone else has put in the meantime is overwritten. */
export async function promote(work: Work): Promise<Change> {
  const { record, secret, clock } = work
  const rotation = rotationOf(work)
  const generation = await putLive(work, await pendingOf(work))
  const now = clock.now()
  const revokeOld = rotation.revokeOld || record.requested?.revokeOld === true
  const graceUntil = now + (revokeOld ? 0 : graceMsOf(secret.holders))
  return {
    ...plan(work),
    state: 'promoted',
    rotation: { ...rotation, revokeOld, generation, promotedAt: now, graceUntil },
    rotatedAt: now,
    overdueAlertAt: null,
    requested: null,
    failure: null,
    key: rotation.keyId ?? null,
  }
}

/** True once the rotation's value is live, on record or not. */
export async function isLive(work: Work): Promise<boolean> {
  const live = await work.store.live(work.secret.name)
  return live?.rotation === rotationOf(work).id
}

/** Ends what was made for the rotation, and takes its value away. Only before it was promoted. */
export async function cleanUp(work: Work): Promise<Change> {
  const { secret, store } = work
  const { id, keyId } = rotationOf(work)
  const waiting = await store.pending(secret.name)
  const made = new Set([keyId, waiting?.rotation === id ? waiting.id : undefined])
  for (const key of made)
    if (key !== undefined) await inTime(work, 'revoke', (signal) => secret.provider.revoke(key, signal))
  await removeMade(work)
  if (waiting?.rotation === id) await store.clearPending(secret.name)
  return { state: 'failed', rotation: null }
}

async function putLive(work: Work, key: PendingValue): Promise<number> {
  const { secret, store } = work
  const { old, id } = rotationOf(work)
  const before = await store.live(secret.name)
  if (before?.rotation === id) return before.generation
  if ((before?.generation ?? 0) !== (old?.generation ?? 0)) throw new ReplacedError(secret.name)
  return store.promote(secret.name, key, old?.generation ?? 0).catch((error: unknown) => {
    throw error instanceof FencedError ? new ReplacedError(secret.name) : error
  })
}

/** The value that waits, if it is the one on record. */
async function pendingOf(work: Work): Promise<PendingValue> {
  const { id, keyId } = rotationOf(work)
  const waiting = await work.store.pending(work.secret.name)
  if (waiting?.rotation === id && waiting.id === keyId) return waiting
  throw new ProviderFailedError(work.record.state, 'the new value does not wait where it was put')
}

const created = (rotation: CurrentRotation, keyId: string): Change => ({
  state: 'created',
  rotation: { ...rotation, keyId },
  key: keyId,
})
