import {
  type Limits,
  type MaintenanceWindow,
  Rotation,
  type RotationProvider,
  RotationRecord,
  RotationStore,
} from '#lib/rotation'
import { vaultNames } from '#lib/vault'
import { FakeAccount, fakeProvider } from './fake-provider.ts'
import { FakeKv } from './fake-kv.ts'
import { FaultPoints } from './fault-points.ts'
import { TurnedClock } from './turned-clock.ts'

const SECRET = 'openai-api-key'
/** Friday noon. */
const START = Date.UTC(2026, 10, 27, 12)
export const HOUR_MS = 3_600_000

interface Starting {
  /** The secret has a value whose key the provider knows. Default true. */
  live?: boolean
  every?: string
  window?: MaintenanceWindow
  limits?: Partial<Limits>
}

interface Machine {
  points?: FaultPoints
  over?: Partial<RotationProvider>
  clock?: TurnedClock
}

/** One secret, its KV, its provider's account, and as many rotators as are opened. */
export function rotationWorld({ live = true, every = 'daily', window, limits }: Starting = {}) {
  const clock = new TurnedClock(START)
  const names = vaultNames({ cluster: 'demo', environment: 'dev' })
  const kv = new FakeKv()
  const account = new FakeAccount(clock)
  const alerts: { name: string; severity: string; labels: Record<string, string> }[] = []
  const announced: number[] = []
  const keyPrefix = `tb/demo/dev/${SECRET}/`
  if (live) kv.entries.set(names.secret(SECRET), [{ value: account.add('made by hand').value }])

  /** Another process. */
  const open = ({ points = new FaultPoints(), over = {}, clock: own = clock }: Machine = {}) => {
    const store = new RotationStore({ vault: kv.as(points), names, use: (call) => call('token') })
    const provider = fakeProvider(account, { points, over })
    const holders = { timeoutsMs: [30_000], freshMs: 300_000, staleMs: 900_000, skewMs: 10_000 }
    const secret = { name: SECRET, keyPrefix, every, window, holders, consumers: ['writer'], provider }
    const rotation = new Rotation({
      secret,
      store,
      announce: async (generation) => void announced.push(generation),
      raise: async (name, severity, labels) => void alerts.push({ name, severity, labels }),
      instance: 'rotator',
      clock: own,
      random: () => 0,
      limits,
    })
    return { secret, rotation, store, tend: () => turned(clock, rotation.tend(new AbortController().signal)) }
  }

  return {
    clock,
    kv,
    account,
    alerts,
    announced,
    names,
    keyPrefix,
    open,
    record: () => RotationRecord.parse(kv.latest(names.rotation(SECRET))),
    liveValue: () => kv.latest(names.secret(SECRET))?.['value'],
    /** Asks for a rotation, as an operator. */
    async ask(revokeOld = false) {
      const { store } = open()
      const { record, version } = await store.load(SECRET)
      await store.save({ ...record, requested: { at: clock.now(), by: 'ann', revokeOld } }, version)
    },
    /** Tends until nothing is due for a day and a half, which goes past grace, soak and retries. */
    async settle(machine = open()) {
      for (let turns = 0; turns < 40; turns++) {
        const { state, until } = await machine.tend()
        if (state === 'idle') return state
        await clock.advance(Math.max(0, until - clock.now()))
      }
      return 'unsettled' as const
    },
  }
}

/** Turns the clock, a second at a time, until the promise has settled. */
export async function turned<T>(clock: TurnedClock, promise: Promise<T>): Promise<T> {
  const settled = { isOver: false }
  const end = () => {
    settled.isOver = true
  }
  promise.then(end, end)
  await clock.advance(0)
  while (!settled.isOver) await clock.advance(1000)
  return promise
}
