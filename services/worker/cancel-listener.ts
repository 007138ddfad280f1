import {
  type Cancels,
  cancelRequest,
  latestCancel,
  type QueueRef,
  readCancelledAt,
  readCancels,
} from '#lib/queue'
import { type Log, messageOf } from '#lib/runtime'
import type { Redis } from 'ioredis'
import { setTimeout as delay } from 'node:timers/promises'

/** One read of the channel waits so long; after as much silence the marks are looked at. */
const SILENCE_MS = 5_000
/** Between two looks while the channel cannot be read. */
const PAUSE_MS = 250
/** Ids that are remembered, newest last. */
const REMEMBERED = 1_000

export interface CancelListenerOptions {
  queue: QueueRef
  redis: Redis
  /** A connection for this alone: its reads wait. */
  channel: Redis
  /** Ids of the requests whose attempts run in this worker. */
  running: () => string[]
  /** Aborts the attempt of a request; false when none runs here. */
  abort: (id: string) => boolean
  log: Log
}

/**
 * Hears of requests of the worker's agent type that are cancelled, and aborts their attempts.
 *
 * 1. It listens from before the first job is taken, and goes on from where it was after an outage: nothing is missed.
 * 2. What the channel does not tell, as it is dead or denied, the mark on the job tells: within 5 s, or 250 ms.
 * 3. A cancel may arrive before the job that it is for, or while its attempt's end is being written: the worker asks
 *    {@link isCancelled} and {@link settle} on those two edges. What was heard is a hint, the mark on the job decides: after
 *    its max-age an id may be used again.
 */
export class CancelListener implements AsyncDisposable {
  readonly #options: CancelListenerOptions
  readonly #heard = new Set<string>()
  readonly #stop = new AbortController()
  #last: string
  #isDeaf = false

  private constructor(options: CancelListenerOptions, last: string) {
    this.#options = options
    this.#last = last
  }

  static async open(options: CancelListenerOptions): Promise<CancelListener> {
    const listener = new CancelListener(options, await latestCancel(options.redis, options.queue))
    void listener.#listen()
    return listener
  }

  /** True when a request was cancelled, as far as it was heard. Asks Redis only then. */
  async isCancelled(id: string): Promise<boolean> {
    const { redis, queue } = this.#options
    return this.#heard.has(id) && (await readCancelledAt(redis, queue, id)) !== undefined
  }

  /** Ends a cancelled request that waits again, as its attempt was over before it could be aborted. Never throws. */
  async settle(id: string): Promise<void> {
    const { redis, queue, log } = this.#options
    try {
      if (await this.isCancelled(id)) await cancelRequest(redis, queue, id)
    } catch (error) {
      log.warn({ requestId: id, error: messageOf(error) }, 'cancelled request left to its next attempt')
    }
  }

  /** The last read may wait for a Redis that is away: nothing acts on it any more, so nobody waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#options.channel.disconnect()
  }

  async #listen(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const ids = (await this.#read()) ?? (await this.#look())
      if (!signal.aborted) for (const id of ids) this.#hear(id)
    }
  }

  /** What the channel tells; undefined after a silence, or when it cannot be read. */
  async #read(): Promise<string[] | undefined> {
    const { channel, queue, log } = this.#options
    try {
      const { ids, last }: Cancels = await readCancels(channel, queue, {
        last: this.#last,
        waitMs: SILENCE_MS,
      })
      this.#last = last
      this.#isDeaf = false
      return ids.length > 0 ? ids : undefined
    } catch (error) {
      const { signal } = this.#stop
      if (!this.#isDeaf && !signal.aborted) log.warn({ error: messageOf(error) }, 'cancels cannot be heard')
      this.#isDeaf = true
      await delay(PAUSE_MS, undefined, { signal }).catch(() => {})
      return undefined
    }
  }

  /** The running requests that carry a mark. */
  async #look(): Promise<string[]> {
    const { redis, queue, running } = this.#options
    const ids = running()
    const marks = await Promise.all(ids.map((id) => readCancelledAt(redis, queue, id))).catch(() => [])
    return ids.filter((_, at) => marks[at] !== undefined)
  }

  #hear(id: string): void {
    this.#heard.add(id)
    if (this.#heard.size > REMEMBERED) this.#heard.delete(this.#heard.values().next().value!)
    if (!this.#options.abort(id)) void this.settle(id)
  }
}
