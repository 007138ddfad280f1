/** Frames: a 4-byte big-endian length, then that many bytes of UTF-8 JSON; or, where the first bit is set, bytes as they are. */

/** What a context may send in one frame, bytes. */
export const CONTEXT_FRAME_BYTES = 2 ** 20
/** What our own processes may send in one frame, bytes (a bundle travels in one). */
export const TRUSTED_FRAME_BYTES = 2 ** 25
/** How deep objects and lists of a frame may lie inside each other. */
export const MAX_DEPTH = 64
const BYTES = 2 ** 31

/** The bytes are no legal frame: too long, too deep, or not JSON. The connection cannot be used any more. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

/** One message as a frame. */
export function encodeFrame(message: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(message))
  const frame = Buffer.allocUnsafe(4 + body.length)
  frame.writeUInt32BE(body.length)
  body.copy(frame, 4)
  return frame
}

/** Bytes as a frame: only for a decoder that takes them. */
export function encodeBytes(bytes: Buffer): Buffer {
  const head = Buffer.allocUnsafe(4)
  head.writeUInt32BE(BYTES + bytes.length)
  return Buffer.concat([head, bytes])
}

/** A message as it came, and how many bytes it took. */
export interface Frame {
  /** A Buffer for bytes. */
  message: unknown
  bytes: number
}

/** Cuts a byte stream into messages. The cap is checked on the length, before anything is buffered. */
export class FrameDecoder {
  readonly #limitBytes: number
  readonly #takesBytes: boolean
  #chunks: Buffer[] = []
  #held = 0

  /** `takesBytes`: a frame may hold bytes, which nobody judges: for what comes from our own processes alone. */
  constructor(limitBytes: number, takesBytes = false) {
    this.#limitBytes = limitBytes
    this.#takesBytes = takesBytes
  }

  /** Gives the frames that `chunk` completes. @throws FrameError */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    const frames: Frame[] = []
    for (let found = this.#take(); found; found = this.#take()) {
      const { body, isBytes } = found
      frames.push({ message: isBytes ? body : parse(body), bytes: 4 + body.length })
    }
    return frames
  }

  #take(): { body: Buffer; isBytes: boolean } | undefined {
    if (this.#held < 4) return undefined
    if (this.#chunks[0]!.length < 4) this.#chunks = [Buffer.concat(this.#chunks)]
    const head = this.#chunks[0]!.readUInt32BE(0)
    const isBytes = this.#takesBytes && head >= BYTES
    const length = isBytes ? head - BYTES : head
    if (length > this.#limitBytes)
      throw new FrameError(`frame of ${length} bytes, at most ${this.#limitBytes}`)
    if (this.#held < 4 + length) return undefined
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    const rest = all.subarray(4 + length)
    this.#chunks = rest.length > 0 ? [rest] : []
    this.#held = rest.length
    return { body: all.subarray(4, 4 + length), isBytes }
  }
}

function parse(body: Buffer): unknown {
  if (deeperThan(body, MAX_DEPTH)) throw new FrameError(`JSON nested deeper than ${MAX_DEPTH}`)
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new FrameError('frame is not JSON')
  }
}

/** Counts brackets outside strings, so that no recursive walk ever meets a depth bomb. */
export function deeperThan(body: Buffer, limit: number): boolean {
  let depth = 0
  let inString = false
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]
    if (inString) {
      if (byte === 0x5c) at++
      else if (byte === 0x22) inString = false
    } else if (byte === 0x22) inString = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > limit) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}
