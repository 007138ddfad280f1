import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

type Stream = 'stdout' | 'stderr'
const TAIL_CHARACTERS = 4096
/** V8's last words for its heap and for its own bookkeeping, and those of C++: which comes where RLIMIT_DATA stops them is chance. */
const OUT_OF_MEMORY =
  /heap out of memory|FATAL ERROR: [^\n]*(?:Allocation failed|out of memory)|Fatal process out of memory|std::bad_alloc/

/** True when these last words of a process are that it had no memory left. */
export const saysOutOfMemory = (text: string): boolean => OUT_OF_MEMORY.test(text)

/** A context's console: passed on as text up to a cap, the end of stderr kept to tell why a process ended. */
export class Output {
  readonly #limitBytes: number
  readonly #pass: (stream: Stream, text: string) => void
  readonly #over: () => void
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') }
  #bytes = 0
  stderrTail = ''

  constructor(limitBytes: number, pass: (stream: Stream, text: string) => void, over: () => void) {
    this.#limitBytes = limitBytes
    this.#pass = pass
    this.#over = over
  }

  read(stream: Stream, from: Readable): void {
    from.on('error', () => {})
    from.on('data', (chunk: Buffer) => this.push(stream, chunk))
  }

  /** True when a process that ended said that it had no memory left: then that is why it ended. */
  get saysOutOfMemory(): boolean {
    return saysOutOfMemory(this.stderrTail)
  }

  /** Takes what was written. */
  push(stream: Stream, chunk: Buffer): void {
    const decoder = this.#decoders[stream]
    const room = Math.max(0, this.#limitBytes - this.#bytes)
    this.#bytes += chunk.length
    const text = decoder.write(chunk)
    if (stream === 'stderr') this.stderrTail = (this.stderrTail + text).slice(-TAIL_CHARACTERS)
    if (room > 0) this.#pass(stream, chunk.length > room ? decoder.write(chunk.subarray(0, room)) : text)
    if (this.#bytes > this.#limitBytes) this.#over()
  }
}
