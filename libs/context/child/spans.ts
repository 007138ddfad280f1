import { AsyncLocalStorage } from 'node:async_hooks'
import type { WireSpan } from '#lib/wire'
import type { Port } from './port.ts'

const now = () => performance.timeOrigin + performance.now()
const hex32 = () =>
  Math.floor(Math.random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')
const newSpanId = () => hex32() + hex32()

/** Spans of one attempt, below the worker's. A finished one goes out as a frame. */
export class Spans {
  readonly #port: Port
  readonly #traceId: string
  readonly #flags: string
  readonly #parent: string
  readonly #current = new AsyncLocalStorage<string>()
  #root: string | undefined

  constructor(traceparent: string, port: Port) {
    const [, traceId, spanId, flags] = traceparent.split('-')
    this.#traceId = traceId ?? ''
    this.#parent = spanId ?? ''
    this.#flags = flags ?? '01'
    this.#port = port
  }

  /** The span that is current here; outside of all async context it is the attempt's. */
  spanId(): string {
    return this.#current.getStore() ?? this.#root ?? this.#parent
  }

  /** The header that says which span is current here. */
  traceparent(): string {
    return `00-${this.#traceId}-${this.spanId()}-${this.#flags}`
  }

  async run<T>(name: string, attributes: WireSpan['attributes'], fn: () => Promise<T> | T): Promise<T> {
    const spanId = newSpanId()
    const parentSpanId = this.spanId()
    this.#root ??= spanId
    const span = { name: name.slice(0, 500), spanId, parentSpanId, startMs: now(), attributes }
    try {
      const value = await this.#current.run(spanId, fn)
      this.#port.send({ t: 'span', span: { ...span, endMs: now() } })
      return value
    } catch (error) {
      const message = (error instanceof Error ? error.message : String(error)).slice(0, 1000)
      this.#port.send({ t: 'span', span: { ...span, endMs: now(), error: message } })
      throw error
    }
  }
}
