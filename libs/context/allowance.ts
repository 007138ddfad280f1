import type { FromContext } from '#lib/wire'
import { OutputLimitError } from './errors.ts'

/** Spans of one context that are kept: a tree of more is of use to nobody, and the exporter's queue is everybody's. */
const SPANS = 1000
const SPAN_BYTES = 2 ** 18
const OUTPUT = new Set<FromContext['t']>(['log', 'progress', 'emit'])

/** How much of what one context says is kept outside of it: in Redis, in logs, in the queue of spans. */
export class Allowance {
  readonly #outputBytes: number
  #bytes = 0
  #spans = 0
  #spanBytes = 0

  /** `outputBytes`: log lines, progress and emitted values together, as frames. */
  constructor(outputBytes: number) {
    this.#outputBytes = outputBytes
  }

  /** False: the message is dropped, as a span too many is, since an agent counts none. @throws OutputLimitError */
  admits({ t }: FromContext, bytes: number): boolean {
    if (t === 'span') return ++this.#spans <= SPANS && (this.#spanBytes += bytes) <= SPAN_BYTES
    if (OUTPUT.has(t)) this.#bytes += bytes
    if (this.#bytes > this.#outputBytes) throw new OutputLimitError(this.#outputBytes)
    return true
  }
}
