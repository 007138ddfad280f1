import type { FromContext } from '#lib/wire'
import { OutputLimitError } from './errors.ts'

/** Spans of one context that are handed on: a tree of more is of use to nobody, and the exporter's queue is everybody's. */
const SPANS = 1000
const OUTPUT = new Set<FromContext['t']>(['log', 'progress', 'emit', 'span', 'result'])

/** How much one context may say that is kept outside of it: in Redis, in logs, in the queue of spans. One budget for all. */
export class Allowance {
  readonly #outputBytes: number
  #bytes = 0
  #spans = 0

  /** `outputBytes`: result, log lines, progress, emitted values and spans as frames, and console output as text. */
  constructor(outputBytes: number) {
    this.#outputBytes = outputBytes
  }

  /** False: the message is dropped, as a span too many is, since an agent counts none. @throws OutputLimitError */
  admits({ t }: FromContext, bytes: number): boolean {
    if (OUTPUT.has(t)) this.take(bytes)
    return t !== 'span' || ++this.#spans <= SPANS
  }

  /** Counts what did not come as a message. @throws OutputLimitError */
  take(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#outputBytes) throw new OutputLimitError(this.#outputBytes)
  }
}
