import type { Socket } from 'node:net'
import { encodeFrame, FrameDecoder } from './frame.ts'

/** What happens on a framed connection. Handlers may throw: the connection ends with that error. */
export interface FramedHandlers {
  /** `bytes`: what it took on the wire. */
  message(message: unknown, bytes: number): void
  /**
   * Once, when the connection is over. `error`: a broken frame or what a handler threw, if that ended it: then it is called at
   * once, before any word of what the other side does about it.
   */
  close(error: Error | undefined): void
}

/** A socket that carries frames. No byte from the other side raises an uncaught error. */
export class FramedSocket {
  readonly #socket: Socket
  readonly #decoder: FrameDecoder
  #handlers: FramedHandlers
  #error: Error | undefined
  #isOver = false

  constructor(socket: Socket, limitBytes: number, handlers: FramedHandlers) {
    this.#socket = socket
    this.#decoder = new FrameDecoder(limitBytes)
    this.#handlers = handlers
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.push(chunk))
    socket.once('close', () => this.#over())
  }

  /** All that came so far, frames and their heads. */
  get bytesRead(): number {
    return this.#socket.bytesRead
  }

  /** What the other side has not read yet, beside what the kernel holds. */
  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  /** Takes bytes that were read from the socket before this object had it. */
  push(chunk: Buffer): void {
    if (this.#error) return
    try {
      for (const { message, bytes } of this.#decoder.push(chunk)) this.#handlers.message(message, bytes)
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  /** Sends one message; what the other side no longer reads is dropped with the connection. */
  send(message: unknown): void {
    this.sendFrames(encodeFrame(message))
  }

  /** Sends what is encoded already. */
  sendFrames(frames: Buffer): void {
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(frames)
  }

  /** Ends the connection; `close` is still called once. */
  destroy(error?: Error): void {
    this.#error ??= error
    this.#socket.destroy()
    if (this.#error) this.#over()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#handlers.close(this.#error)
  }
}
