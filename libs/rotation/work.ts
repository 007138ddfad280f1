import type { Clock, Log } from '#lib/runtime'
import { ProviderFailedError } from './errors.ts'
import type { Holders } from './grace.ts'
import type { RotationProvider } from './provider.ts'
import type { CurrentRotation, RotationRecord } from './record.ts'
import type { MaintenanceWindow } from './schedule.ts'
import type { RotationStore } from './store.ts'

/** A secret that is rotated, and by what. */
export interface ManagedSecret {
  name: string
  /** `tb/<cluster>/<environment>/<secret>/`: begins the names of its keys at the provider. */
  keyPrefix: string
  /** What the cluster file says. */
  every: string
  window?: MaintenanceWindow | undefined
  holders: Holders
  /** Agent types that may use it: named in alerts. */
  consumers: readonly string[]
  provider: RotationProvider
}

/** How long a step may take. All milliseconds. */
export interface Limits {
  /** One call to the provider. */
  callMs: number
  /** Until the provider knows a new key everywhere. */
  verifyMs: number
  /** Until it knows an ended one no more. */
  confirmMs: number
  /** How long an old key is only off, where the provider can turn keys off. */
  soakMs: number
  /** From a failure to the next try, doubling up to `maxBackoffMs`. */
  backoffMs: number
  maxBackoffMs: number
}

/** AWS takes about 10 s to know a key everywhere; the others are quicker. */
export const LIMITS: Limits = {
  callMs: 30_000,
  verifyMs: 60_000,
  confirmMs: 60_000,
  soakMs: 600_000,
  backoffMs: 30_000,
  maxBackoffMs: 3_600_000,
}

/** As `openAlerts` of #lib/queue. */
export type Raise = (
  name: string,
  severity: 'info' | 'warning' | 'critical',
  labels: Record<string, string>,
) => Promise<void>

/** What a step works with. */
export interface Work {
  secret: ManagedSecret
  record: RotationRecord
  store: RotationStore
  limits: Limits
  clock: Clock
  random: () => number
  raise: Raise
  log: Log
  /** Tells the sidecars of a new generation. */
  announce: (generation: number) => Promise<void>
  /** Aborts when the rotator ends. */
  signal: AbortSignal
}

/** What a step changes of the record; `note` and `key` are for its history. */
export type Change = Partial<RotationRecord> & { note?: string; key?: string | null }

/** The rotation under way. @throws TypeError where there is none: no step that needs one is taken then */
export function rotationOf({ record }: Work): CurrentRotation {
  if (!record.rotation) throw new TypeError(`no rotation of "${record.secret}" is under way`)
  return record.rotation
}

/** The name of the key of a rotation. */
export const keyNameOf = ({ secret }: Work, rotation: string): string => `${secret.keyPrefix}${rotation}`

/** One call to the provider, ended at its deadline. @throws ProviderFailedError for one that took too long */
export async function inTime<T>(
  { clock, limits, signal: end }: Pick<Work, 'clock' | 'limits' | 'signal'>,
  what: string,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, end])
  const late = clock.sleep(limits.callMs, signal).then(
    () => Promise.reject(new ProviderFailedError(what, `no answer within ${limits.callMs} ms`)),
    () => Promise.reject(end.reason as Error),
  )
  late.catch(() => {})
  try {
    return await Promise.race([call(signal), late])
  } finally {
    over.abort()
  }
}

/** Asks again, from half a second to five between, until it succeeds or `forMs` are over. @throws the last error */
export async function retrying<T>(work: Work, forMs: number, call: () => Promise<T>): Promise<T> {
  const { clock, signal } = work
  const deadline = clock.now() + forMs
  for (let pauseMs = 500; ; pauseMs = Math.min(pauseMs * 2, 5000)) {
    try {
      return await call()
    } catch (error) {
      if (signal.aborted || clock.now() + pauseMs > deadline) throw error
    }
    await clock.sleep(pauseMs, signal)
  }
}
