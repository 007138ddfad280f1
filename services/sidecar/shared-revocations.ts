import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import {
  publishRevocation,
  type QueueScope,
  readRevocations,
  revocationsKey,
  type RevocationNotice,
} from '#lib/queue'
import { type Clock, type Log, messageOf, repeatEvery, slept, steadyClock } from '#lib/runtime'
import type { Revocation, Revocations } from './revocations.ts'

/** How often it is looked at what others have revoked, should no message say that there is something. */
const EVERY_MS = 1000
/** How long an operator's answer waits for the others to be told. */
const TOLD_MS = 2000

export interface SharedRevocationsOptions {
  revocations: Pick<Revocations, 'exact' | 'preview' | 'revoke'>
  redis: Redis
  /** A connection that only listens. */
  channel: Redis
  scope: QueueScope
  /** What was read before the start: what comes after it is carried out. */
  after: string | undefined
  clock?: Clock
  log: Log
}

/**
 * Revocations that every sidecar of the cluster carries out, whichever of them the operator speaks to.
 * 1. The others are not waited for: a Redis that is away keeps nobody from revoking here.
 * 2. What could not be told is told as soon as Redis is back, and what was told meanwhile is carried out then.
 */
export class SharedRevocations implements AsyncDisposable {
  readonly #options: SharedRevocationsOptions
  readonly #clock: Clock
  readonly #self = randomUUID()
  readonly #untold = new Set<RevocationNotice>()
  readonly #watch: AsyncDisposable
  #after: string | undefined
  #exchanging: Promise<void> = Promise.resolve()
  readonly #hear = (channel: string) =>
    void (channel === revocationsKey(this.#options.scope) && this.#exchange())

  private constructor(options: SharedRevocationsOptions) {
    this.#options = options
    this.#after = options.after
    this.#clock = options.clock ?? steadyClock
    this.#watch = repeatEvery(this.#clock, EVERY_MS, () => this.#exchange())
  }

  static async open(options: SharedRevocationsOptions): Promise<SharedRevocations> {
    const { channel, scope } = options
    await channel.subscribe(revocationsKey(scope))
    const shared = new SharedRevocations(options)
    channel.on('message', shared.#hear)
    return shared
  }

  /** As {@link Revocations.preview}: of this sidecar alone. */
  preview(target: Revocation['target']) {
    return this.#options.revocations.preview(target)
  }

  /** As {@link Revocations.revoke}; what the others end is not in the answer, but whether they are told. */
  async revoke(revocation: Revocation) {
    const { operator, keepRunning } = revocation
    this.preview(revocation.target) // a name that the cluster file does not have is told to nobody
    // Those that hear of it late may have a newer generation by then, which nobody has revoked.
    const target = this.#options.revocations.exact(revocation.target)
    const notice = { target, operator, keepRunning, from: this.#self }
    this.#untold.add(notice)
    const told = this.#exchange()
    const done = await this.#options.revocations.revoke({ ...revocation, target })
    const enough = new AbortController()
    await Promise.race([told, slept(this.#clock, TOLD_MS, enough.signal)])
    enough.abort()
    return { ...done, isTold: !this.#untold.has(notice) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.channel.off('message', this.#hear)
    await this.#watch[Symbol.asyncDispose]()
  }

  /** Tells what is untold and carries out what others have told: one after the other, so that nothing is carried out twice. */
  #exchange(): Promise<void> {
    const { log } = this.#options
    this.#exchanging = this.#exchanging
      .then(() => this.#tell())
      .then(() => this.#listen())
      .catch((error: unknown) =>
        log[this.#untold.size > 0 ? 'error' : 'debug'](
          { error: messageOf(error) },
          'revocations not exchanged',
        ),
      )
    return this.#exchanging
  }

  async #tell(): Promise<void> {
    const { redis, scope } = this.#options
    for (const notice of this.#untold) {
      await publishRevocation(redis, scope, notice)
      this.#untold.delete(notice)
    }
  }

  async #listen(): Promise<void> {
    const { redis, scope, revocations, log } = this.#options
    const { notices, last } = await readRevocations(redis, scope, this.#after)
    this.#after = last
    for (const notice of notices)
      if (notice.from !== this.#self)
        revocations
          .revoke(notice)
          .catch((error: unknown) =>
            log.error({ error: messageOf(error) }, 'a revocation was told and not made'),
          )
  }
}
