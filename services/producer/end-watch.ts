import { QueueEvents } from 'bullmq'
import type { Redis } from 'ioredis'
import { messageOf, type Log } from '#lib/runtime'
import type { ServedType } from './agent-types.ts'

/**
 * Wakes whoever waits for the end of a request. One QueueEvents per queue, opened when the first one waits.
 *
 * W1 No end is missed: events are read from an id that was current before the watch counted as open, so whoever
 *    registers and then looks at the job sees its end, or is woken by it.
 * W2 An outage of Redis wakes everybody, so that they look, and fail, at once.
 */
export class EndWatch implements AsyncDisposable {
  readonly #options: EndWatchOptions
  readonly #open = new Map<string, Promise<OpenEvents>>()
  readonly #waiting = new Map<string, Set<() => void>>()
  #closed = false

  constructor(options: EndWatchOptions) {
    this.#options = options
    options.redis.on('close', () => this.#wakeAll())
  }

  /** Requests that somebody waits for. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Makes sure that ends in this queue are heard of. */
  async listen(type: ServedType): Promise<void> {
    const name = type.agentType.name
    if (this.#closed) return
    if (!this.#open.has(name)) {
      const opening = this.#start(type)
      this.#open.set(name, opening)
      opening.catch(() => this.#open.delete(name))
    }
    await this.#open.get(name)
  }

  /** Calls `wake` when the request may have ended, until the returned function is called. */
  register(requestId: string, wake: () => void): () => void {
    const waiting = this.#waiting.get(requestId) ?? new Set()
    this.#waiting.set(requestId, waiting.add(wake))
    return () => {
      waiting.delete(wake)
      if (waiting.size === 0 && this.#waiting.get(requestId) === waiting) this.#waiting.delete(requestId)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#wakeAll()
    const opened = await Promise.allSettled(this.#open.values())
    this.#open.clear()
    for (const each of opened) if (each.status === 'fulfilled') close(each.value)
  }

  async #start({ ref, agentType }: ServedType): Promise<OpenEvents> {
    const { redis, connect, log } = this.#options
    const [latest] = await redis.xrevrange(ref.key('events'), '+', '-', 'COUNT', 1)
    const connection = await connect()
    const events = new QueueEvents(ref.name, {
      connection,
      prefix: ref.prefix,
      lastEventId: latest?.[0] ?? '0-0',
    })
    events.on('completed', ({ jobId }) => this.#wake(jobId))
    events.on('failed', ({ jobId }) => this.#wake(jobId))
    events.on('error', (error) =>
      log.debug({ agentType: agentType.name, error: messageOf(error) }, 'queue events error'),
    )
    return { events, connection }
  }

  #wake(requestId: string): void {
    for (const wake of this.#waiting.get(requestId) ?? []) wake()
  }

  #wakeAll(): void {
    for (const requestId of this.#waiting.keys()) this.#wake(requestId)
  }
}

export interface EndWatchOptions {
  /** The producer's connection. */
  redis: Redis
  /** Opens a connection for blocking reads. */
  connect: () => Promise<Redis>
  log: Log
}

interface OpenEvents {
  events: QueueEvents
  connection: Redis
}

/** The connection goes first and the end is not awaited: BullMQ would wait for a Redis that is away. */
function close({ events, connection }: OpenEvents): void {
  connection.disconnect()
  events.close().catch(() => {})
}
