import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import {
  parseRevocation,
  publishRevocation,
  type QueueScope,
  revocationChannel,
  type RevocationTarget,
} from '#lib/queue'
import { type Log, messageOf } from '#lib/runtime'
import type { Revocation, Revocations } from './revocations.ts'

export interface SharedRevocationsOptions {
  revocations: Pick<Revocations, 'preview' | 'revoke'>
  redis: Redis
  /** A connection that only listens. */
  channel: Redis
  scope: QueueScope
  log: Log
}

/**
 * Revocations that every sidecar of the cluster carries out, whichever of them the operator speaks to. The others are told
 * first and not waited for: a Redis that is away keeps nobody from revoking here.
 */
export class SharedRevocations implements AsyncDisposable {
  readonly #options: SharedRevocationsOptions
  readonly #self = randomUUID()
  readonly #hear = (channel: string, text: string) => this.#heard(channel, text)

  private constructor(options: SharedRevocationsOptions) {
    this.#options = options
  }

  static async open(options: SharedRevocationsOptions): Promise<SharedRevocations> {
    const shared = new SharedRevocations(options)
    await options.channel.subscribe(revocationChannel(options.scope))
    options.channel.on('message', shared.#hear)
    return shared
  }

  /** As {@link Revocations.preview}: of this sidecar alone. */
  preview(target: RevocationTarget) {
    return this.#options.revocations.preview(target)
  }

  /** As {@link Revocations.revoke}; what the others end is not in the answer. */
  async revoke(revocation: Revocation) {
    const { redis, scope, revocations, log } = this.#options
    const { target, operator, keepRunning } = revocation
    this.preview(target) // a name that the cluster file does not have is told to nobody
    publishRevocation(redis, scope, { target, operator, keepRunning, from: this.#self }).catch(
      (error: unknown) =>
        log.error({ error: messageOf(error) }, 'other sidecars are not told of a revocation'),
    )
    return revocations.revoke(revocation)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.channel.off('message', this.#hear)
  }

  #heard(channel: string, text: string): void {
    const { scope, revocations, log } = this.#options
    if (channel !== revocationChannel(scope)) return
    const notice = parseRevocation(text)
    if (!notice) return log.warn({}, 'a message that is no revocation')
    if (notice.from === this.#self) return
    revocations
      .revoke(notice)
      .catch((error: unknown) => log.error({ error: messageOf(error) }, 'a revocation was told and not made'))
  }
}
