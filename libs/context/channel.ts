import { CONTEXT_FRAME_BYTES, FramedSocket, type FromContext, type ToContext } from '#lib/wire'
import type { Allowance } from './allowance.ts'
import { ProtocolViolation } from './errors.ts'
import type { Arrival } from './listener.ts'
import { FromContextSchema } from './schemas.ts'

/** Where a context is in its life. Each phase but `ready` and `over` ends with one of its last words. */
export type Phase = 'starting' | 'loading' | 'ready' | 'describing' | 'running' | 'over'
type Word = FromContext['t']

/** What may be said in a phase, and what ends it. Everything else is a violation. */
const LEGAL: Record<Phase, { words: Word[]; last: Word[] }> = {
  starting: { words: [], last: ['hello'] },
  loading: { words: [], last: ['loaded', 'load-failed'] },
  ready: { words: [], last: [] },
  describing: { words: ['code-cache'], last: ['described', 'failed'] },
  running: {
    words: ['started', 'log', 'progress', 'emit', 'span', 'call'],
    last: ['result', 'failed'],
  },
  over: { words: [], last: [] },
}

/** How a phase ended: by its last word, by a violation (or more output than allowed), or because the channel is closed. */
export type End =
  | { kind: 'message'; message: FromContext }
  | { kind: 'violation'; error: Error }
  | { kind: 'closed' }

/** What one context may send in all, bytes. */
const TOTAL_BYTES = 64 * 2 ** 20
const CALLS_AT_ONCE = 64
/** Replies that wait for a context which does not read, bytes. */
const UNREAD_BYTES = 8 * 2 ** 20

/** Descriptor 3 of one context, on its worker's side. Whatever comes on it ends at worst this context. */
export class Channel {
  readonly #forward: (message: FromContext) => void
  readonly #allowance: Allowance
  #framed: FramedSocket | undefined
  #phase: Phase = 'starting'
  #end: PromiseWithResolvers<End> | undefined
  #closed: End | undefined
  #begun = false
  #calls = new Set<number>()

  /** `forward` gets every word that does not end a phase. */
  constructor(allowance: Allowance, forward: (message: FromContext) => void) {
    this.#allowance = allowance
    this.#forward = forward
  }

  /** The connection has come. */
  attach({ socket, rest }: Arrival): void {
    this.#framed = new FramedSocket(socket, CONTEXT_FRAME_BYTES, {
      message: (message, bytes) => this.#take(message, bytes),
      close: (error) => this.#over(error ? { kind: 'violation', error } : { kind: 'closed' }),
    })
    this.#framed.push(rest)
    socket.resume()
  }

  /** Enters a phase by a message, or by frames as they are, and waits for its end. */
  async converse(phase: Phase, message?: ToContext | Buffer): Promise<End> {
    if (this.#closed) return this.#closed
    this.#phase = phase
    this.#end = Promise.withResolvers<End>()
    if (Buffer.isBuffer(message)) this.#framed?.sendFrames(message)
    else if (message) this.send(message)
    return this.#end.promise
  }

  send(message: ToContext): void {
    if (message.t === 'reply') this.#replied(message.id)
    this.#framed?.send(message)
  }

  #replied(id: number): void {
    this.#calls.delete(id)
    if (this.#framed && this.#framed.unsentBytes > UNREAD_BYTES)
      this.#framed.destroy(new ProtocolViolation('the context does not read the replies to its calls'))
  }

  /** Ends the phase: the context did elsewhere what it may not. */
  violate(error: Error): void {
    this.#framed?.destroy(error)
    this.#over({ kind: 'violation', error })
  }

  close(): void {
    this.#framed?.destroy()
    this.#over({ kind: 'closed' })
  }

  #take(raw: unknown, bytes: number): void {
    if (this.#phase === 'over') return
    const parsed = FromContextSchema.safeParse(raw)
    if (!parsed.success) throw new ProtocolViolation('a frame is no message of the protocol')
    const message = parsed.data
    const { words, last } = LEGAL[this.#phase]
    if (last.includes(message.t)) {
      this.#allowance.admits(message, bytes)
      return this.#finish(message)
    }
    if (!words.includes(message.t))
      throw new ProtocolViolation(`"${message.t}" is not legal while ${this.#phase}`)
    this.#bound(message)
    if (this.#allowance.admits(message, bytes)) this.#forward(message)
  }

  #bound(message: FromContext): void {
    if (message.t === 'started') {
      if (this.#begun) throw new ProtocolViolation('"started" came twice')
      this.#begun = true
    }
    if (message.t === 'call') {
      if (this.#calls.has(message.id)) throw new ProtocolViolation(`call ${message.id} is open already`)
      if (this.#calls.size >= CALLS_AT_ONCE)
        throw new ProtocolViolation(`more than ${CALLS_AT_ONCE} calls at once`)
      this.#calls.add(message.id)
    }
    if (this.#framed!.bytesRead > TOTAL_BYTES)
      throw new ProtocolViolation(`more than ${TOTAL_BYTES} bytes from one context`)
  }

  #finish(message: FromContext): void {
    const spare = message.t === 'hello' || message.t === 'loaded'
    this.#phase = spare ? 'ready' : 'over'
    this.#end?.resolve({ kind: 'message', message })
  }

  #over(end: End): void {
    this.#closed ??= end
    this.#phase = 'over'
    this.#end?.resolve(end)
  }
}
