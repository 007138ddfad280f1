import type { Socket } from 'node:net'
import {
  CONTEXT_FRAME_BYTES,
  deeperThan,
  encodeFrame,
  FrameDecoder,
  type FromContext,
  MAX_DEPTH,
  type ToContext,
  TRUSTED_FRAME_BYTES,
  type WireError,
} from '#lib/wire'

const TEXT_CHARACTERS = 10_000

/** A message that the worker would not take: `type` says of what it is too much. */
export class UnfitMessage extends RangeError {
  readonly type: string
  constructor(what: FromContext['t'], type: 'too-large' | 'too-deep', why: string) {
    super(`${what}: ${why}`)
    this.type = `${what}-${type}`
  }
}

/** The channel: frames to and from the worker. */
export class Port {
  readonly #socket: Socket
  readonly #decoder = new FrameDecoder(TRUSTED_FRAME_BYTES, true)
  #bytes: Buffer[] = []

  /** `take` gets each message with the frames of bytes that came before it. */
  constructor(socket: Socket, take: (message: ToContext, bytes: Buffer[]) => void) {
    this.#socket = socket
    this.#socket.on('data', (chunk: Buffer) => {
      for (const { message } of this.#decoder.push(chunk))
        if (Buffer.isBuffer(message)) this.#bytes.push(message)
        else take(message as ToContext, this.#bytes.splice(0))
    })
    // Without its worker a context has nothing to do.
    this.#socket.on('error', () => process.exit(1))
    this.#socket.on('close', () => process.exit(1))
  }

  /** @throws UnfitMessage, and what JSON.stringify throws */
  send(message: FromContext): void {
    const frame = encode(message)
    const body = frame.subarray(4)
    if (body.length > CONTEXT_FRAME_BYTES)
      throw new UnfitMessage(message.t, 'too-large', `${body.length} bytes, at most ${CONTEXT_FRAME_BYTES}`)
    if (deeperThan(body, MAX_DEPTH)) throw tooDeep(message)
    this.#socket.write(frame)
  }
}

/** The only RangeError of JSON.stringify is a stack that is used up: of depth, or of a getter that calls itself. */
function encode(message: FromContext): Buffer {
  try {
    return encodeFrame(message)
  } catch (error) {
    throw error instanceof RangeError ? tooDeep(message) : error
  }
}

const tooDeep = ({ t }: FromContext) => new UnfitMessage(t, 'too-deep', `nested deeper than ${MAX_DEPTH - 1}`)

/** Whatever was thrown, as it travels. An error's own `type` counts, else its name. */
export function wireError(thrown: unknown): WireError {
  try {
    return read(thrown)
  } catch {
    return { type: 'unreadable', message: 'what was thrown cannot be read' }
  }
}

function read(thrown: unknown): WireError {
  if (!(thrown instanceof Error)) return { type: 'Error', message: String(thrown).slice(0, TEXT_CHARACTERS) }
  const { type } = thrown as { type?: unknown }
  return {
    type: word(typeof type === 'string' ? type : thrown.name),
    message: explain(thrown).slice(0, TEXT_CHARACTERS),
    ...(typeof thrown.stack === 'string' ? { stack: thrown.stack.slice(0, TEXT_CHARACTERS) } : {}),
  }
}

/** A type is for programs and stands before a colon, in terminals and in span attributes: one word, whatever was thrown. */
const word = (type: string) => type.slice(0, 200).replaceAll(/[^\w.:/-]+/g, '-') || 'Error'

/** A schema's error names each field; any other its message. */
function explain(error: Error): string {
  const { issues } = error as { issues?: { path?: PropertyKey[]; message: string }[] }
  if (!Array.isArray(issues)) return error.message
  return issues.map(({ path, message }) => `${path?.join('.') || 'value'}: ${message}`).join('; ')
}
