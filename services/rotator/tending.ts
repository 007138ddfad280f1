import { FencedError, type Rotation } from '#lib/rotation'
import { type Clock, type Log, messageOf, systemClock } from '#lib/runtime'
import type { QueueRef, RaiseAlert } from '#lib/queue'
import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { LockLostError, underLock } from './lock.ts'

/** Someone else holds a lock: they may be done soon. */
const BUSY_MS = 1_000
/** How long a rotation waits for the account of its provider. */
const ACCOUNT_WAIT_MS = 60_000
const MAX_BACKOFF_MS = 60_000
/** Failures to reach Vault, one after the other, that are told. */
const TOLD_AT = 5

/** One secret, and the provider's account that its keys are made in. */
export interface Tended {
  rotation: Pick<Rotation, 'look' | 'tend'>
  account: string
}

export interface TendingOptions {
  secrets: ReadonlyMap<string, Tended>
  redis: Redis
  keys: QueueRef
  raise: RaiseAlert
  log: Log
  /** Has it looked at again then, by whichever rotator: a second source beside the own timer. May fail. */
  wakeAt: (secret: string, at: number) => Promise<void>
  lookEveryMs: number
  clock?: Clock
}

/**
 * Tends every secret, one loop each.
 * T1: one rotation at a time per secret, and per account of a provider, over all rotators.
 * T2: the own timer looks at each record, whatever becomes of Redis' timers; a wish wakes its loop at once.
 * T3: no loop ends before disposal: what fails is told and tried again, later each time.
 */
export class Tending implements AsyncDisposable {
  readonly #options: TendingOptions & { clock: Clock }
  readonly #stop = new AbortController()
  readonly #pokes = new Map<string, () => void>()
  readonly #loops: Promise<unknown>

  private constructor(options: TendingOptions & { clock: Clock }) {
    this.#options = options
    this.#loops = Promise.all([...options.secrets].map(([name, tended]) => this.#keep(name, tended)))
  }

  static async open(options: TendingOptions): Promise<Tending> {
    return new Tending({ ...options, clock: options.clock ?? systemClock })
  }

  /** Looks at a secret now; at every one when none is named. */
  wake(secret?: string): void {
    for (const [name, poke] of this.#pokes) if (secret === undefined || name === secret) poke()
  }

  /** Ends after the step that is being taken. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#loops
  }

  async #keep(name: string, tended: Tended): Promise<void> {
    const { clock, lookEveryMs } = this.#options
    for (let failures = 0; !this.#stop.signal.aborted;) {
      const poked = Promise.withResolvers<void>()
      this.#pokes.set(name, poked.resolve)
      const until = await this.#tend(name, tended).then(
        (at) => {
          failures = 0
          return at
        },
        (error: unknown) => this.#failed(name, error, ++failures),
      )
      const forMs = Math.max(0, Math.min(until - clock.now(), lookEveryMs))
      const over = new AbortController()
      const slept = clock.sleep(forMs, AbortSignal.any([over.signal, this.#stop.signal])).catch(() => {})
      await Promise.race([slept, poked.promise])
      over.abort()
    }
  }

  /** Gives when to look again. */
  async #tend(name: string, { rotation, account }: Tended): Promise<number> {
    const { redis, keys, clock, wakeAt, log } = this.#options
    const look = await rotation.look()
    if (!look.isDue) return look.until
    const lock = (of: string) => ({ redis, key: keys.key(`tb:lock:${of}`) })
    const accountLock = lock(`account:${createHash('sha256').update(account).digest('hex')}`)
    const until = await underLock({ ...lock(`secret:${name}`), signal: this.#stop.signal }, (signal) =>
      underLock({ ...accountLock, waitMs: ACCOUNT_WAIT_MS, signal }, async (signal) => {
        return (await rotation.tend(signal)).until
      }),
    )
    if (until === undefined) return clock.now() + BUSY_MS
    await wakeAt(name, until).catch((error: unknown) =>
      log.warn({ secret: name, error: messageOf(error) }, 'not put on the queue: the own timer has it'),
    )
    return until
  }

  async #failed(name: string, error: unknown, failures: number): Promise<number> {
    const { clock, log, raise } = this.#options
    if (this.#stop.signal.aborted) return clock.now()
    if (error instanceof FencedError || error instanceof LockLostError) {
      log.info({ secret: name, reason: messageOf(error) }, 'rotation left to another')
      return clock.now() + BUSY_MS
    }
    log.warn({ secret: name, failures, error: messageOf(error) }, 'rotation not advanced')
    const labels = { secret: name, step: 'record', reason: messageOf(error).slice(0, 500) }
    if (failures === TOLD_AT) await raise('rotation-failed', 'warning', labels)
    return clock.now() + Math.min(1000 * 2 ** (failures - 1), MAX_BACKOFF_MS)
  }
}
