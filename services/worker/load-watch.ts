import type { AgentLoadError, LoadEvents } from '#lib/context'
import {
  openQueue,
  type PausableQueue,
  pauseQueue,
  type QueueRef,
  type QueueScope,
  resumeQueue,
  type RaiseAlert,
} from '#lib/queue'
import { type Log, messageOf } from '#lib/runtime'
import type { Redis } from 'ioredis'

/** Failures in a row after which no more jobs are taken: each would come back at once. */
const IN_A_ROW = 5
const REASON = 'agent-load-failed'

/** What a worker gives its watch. */
export interface OpenLoadWatchOptions {
  scope: QueueScope
  queue: QueueRef
  redis: Redis
  raise: RaiseAlert
  log: Log
}

/** Opened before the pool, so that it is there until the pool's last load. */
export function openLoadWatch({ scope, queue: ref, redis, raise, log }: OpenLoadWatchOptions): LoadWatch {
  const queue = openQueue({ scope, agentType: ref.name, connection: redis, log })
  return new LoadWatch({ redis, queue, ref, raise, log })
}

/** What a watch acts upon. */
export interface LoadWatchOptions extends PausableQueue {
  raise: RaiseAlert
  log: Log
}

/**
 * Pauses an agent type's queue when its module has failed to load five times in a row, and resumes it when the module
 * loads again: here, or in a worker that starts. LW1: a pause that somebody else made is left alone. LW2: each pause
 * raises one alert. LW3: nothing here throws.
 */
export class LoadWatch implements LoadEvents, AsyncDisposable {
  readonly #options: LoadWatchOptions
  #failures = 0
  /** True until the first load: a worker before this one may have paused the queue. */
  #maybePaused = true
  #last: Promise<void> = Promise.resolve()

  constructor(options: LoadWatchOptions) {
    this.#options = options
  }

  loaded(): void {
    this.#failures = 0
    if (!this.#maybePaused) return
    this.#maybePaused = false
    this.#then(() => this.#resume())
  }

  failed(error: AgentLoadError): void {
    if (++this.#failures < IN_A_ROW) return
    this.#maybePaused = true
    const failures = this.#failures
    this.#then(() => this.#pause(messageOf(error), failures))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.queue.close()
  }

  /** One after the other, so that the last load decides. */
  #then(act: () => Promise<void>): void {
    const { log } = this.#options
    this.#last = this.#last.then(act).catch((error: unknown) => {
      // The next load tries again.
      this.#maybePaused = true
      log.warn({ error: messageOf(error) }, 'queue not paused or resumed')
    })
  }

  async #pause(error: string, failures: number): Promise<void> {
    const { raise } = this.#options
    const message = `the module failed to load ${failures} times in a row: ${error}`
    if (!(await pauseQueue(this.#options, { reason: REASON, message, at: Date.now() }))) return
    await raise(REASON, 'critical', { failures: String(failures), error, queue: 'paused' })
  }

  async #resume(): Promise<void> {
    if (await resumeQueue(this.#options, REASON)) await this.#options.raise('agent-loads-again', 'info')
  }
}
