import {
  Rotation,
  type RotationProvider,
  RotationRecord,
  type RotationState,
  RotationStore,
} from '#lib/rotation'
import { systemClock } from '#lib/runtime'
import { isVaultError, vaultNames } from '#lib/vault'
import { FakeKv } from '../fake-kv.ts'

export const SECRET = 'service-key'
export const KEY_PREFIX = `tb/demo/dev/${SECRET}/`
const names = vaultNames({ cluster: 'demo', environment: 'dev' })

export interface Whole {
  provider: RotationProvider
  /** What is live before. Default: nothing. */
  first?: string | undefined
  /** What an operator supplied for it. */
  supplied?: { id: string; value: string } | undefined
  kv?: FakeKv
  /** Called with each new state before the next step. */
  onState?: (state: RotationState) => void | Promise<void>
  /** How long a call may take. Default: 2 s. */
  callMs?: number
  /** Called when Vault gave no answer; then it is tried again, as a rotator does. */
  onAway?: () => void | Promise<void>
}

/** One rotation in real time, from an operator's wish until the secret is idle again. */
export async function rotate({ provider, first, supplied, kv = new FakeKv(), callMs = 2000, ...on }: Whole) {
  const signal = AbortSignal.timeout(60_000)
  const alerts: string[] = []
  if (first !== undefined) kv.entries.set(names.secret(SECRET), [{ value: first }])
  const store = new RotationStore({ vault: kv.as(), names, use: (call) => call('token') })
  if (supplied) await store.putPending(SECRET, { rotation: 'supplied', ...supplied })
  const holders = { timeoutsMs: [100], freshMs: 100, staleMs: 100, skewMs: 100 }
  const rotation = new Rotation({
    secret: { name: SECRET, keyPrefix: KEY_PREFIX, every: 'daily', holders, consumers: [], provider },
    store,
    announce: async () => {},
    raise: async (name) => void alerts.push(name),
    instance: 'test',
    limits: { callMs, verifyMs: 10_000, confirmMs: 10_000, backoffMs: 100, soakMs: 200 },
  })
  const { record, version } = await store.load(SECRET)
  await store.save({ ...record, requested: { at: Date.now(), by: 'ann', revokeOld: false } }, version)
  let seen: RotationState | undefined
  for (let until = 0; ;) {
    await systemClock.sleep(Math.max(0, until - Date.now()), signal)
    const tended = await rotation.tend(signal).catch(async (error: unknown) => {
      if (!on.onAway || !isVaultError(error) || !error.retryable) throw error
      await on.onAway()
    })
    if (!tended) continue
    if (tended.state === 'idle') break
    // A timer may be early, and then nothing is due yet.
    if (tended.state !== seen) await on.onState?.(tended.state)
    seen = tended.state
    until = tended.until
  }
  const { history } = RotationRecord.parse(kv.latest(names.rotation(SECRET)))
  const live = kv.latest(names.secret(SECRET))!
  return {
    kv,
    alerts,
    states: history.map(({ state }) => state),
    live: { id: String(live['key-id']), value: String(live['value']) },
    pending: kv.latest(names.pending(SECRET)),
    /** All that lies in Vault beside the secret's value and the pending one. */
    written: JSON.stringify(kv.entries.get(names.rotation(SECRET))),
  }
}
