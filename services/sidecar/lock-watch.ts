import { isLockHeld, type QueueRef } from '#lib/queue'
import { type Clock, type Log, messageOf, slept } from '#lib/runtime'
import type { Redis } from 'ioredis'
import type { Attempts } from './attempts.ts'
import type { LiveAttempt } from './live-attempt.ts'

/** Well under the two seconds in which what an attempt leased must be gone. */
const EVERY_MS = 1000

export interface LockWatchOptions {
  attempts: Attempts
  redis: Redis
  queueOf: (agentType: string) => QueueRef
  clock: Clock
  log: Log
}

/**
 * Ends the grant of an attempt whose worker has lost the job: another attempt of it may begin elsewhere, and a worker that
 * was asked would not say so. While Redis does not answer nobody else gets the job either: the grant stays.
 */
export class LockWatch implements AsyncDisposable {
  readonly #options: LockWatchOptions
  readonly #stop = new AbortController()
  readonly #watching: Promise<void>

  constructor(options: LockWatchOptions) {
    this.#options = options
    this.#watching = this.#watch()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watching
  }

  async #watch(): Promise<void> {
    const { clock, log } = this.#options
    while (await slept(clock, EVERY_MS, this.#stop.signal))
      await this.#look().catch((error) => log.debug({ error: messageOf(error) }, 'locks not looked at'))
  }

  async #look(): Promise<void> {
    await Promise.all(this.#options.attempts.list().map((attempt) => this.#check(attempt)))
  }

  async #check({ grant }: LiveAttempt): Promise<void> {
    const { redis, queueOf, attempts } = this.#options
    if (!(await isLockHeld(redis, queueOf(grant.agentType), grant))) void attempts.end(grant.id, 'lock-lost')
  }
}
