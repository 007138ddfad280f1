import { Duplex } from 'node:stream'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** A socket whose first bytes are replaced; the rest passes through untouched. */
class Resumed extends Duplex {
  readonly socket: Socket

  constructor(socket: Socket, first: Buffer) {
    super({ allowHalfOpen: false })
    this.socket = socket
    this.push(first)
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose)
    socket.on('error', this.#onError)
  }

  /** Gives the socket up, to be read by another. */
  detach(): void {
    this.socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    this.socket.off('error', this.#onError)
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.socket.remotePort
  }

  override _read(): void {
    this.socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.destroy()
    done(error)
  }

  #onData = (chunk: Buffer) => {
    if (!this.push(chunk)) this.socket.pause()
  }
  #onEnd = () => this.push(null)
  #onClose = () => this.destroy()
  #onError = () => this.destroy()
}

const LIST = Buffer.from('LIST ')

/**
 * Lets a Node server answer the verb LIST, which its parser refuses: the first word becomes GET and the path begins
 * with a marker that only this process knows, and the connection is handed to the server anew. A header in place of the
 * marker would have to wait for the end of the line, which may come later.
 */
export function acceptList(server: Server, marker: string): void {
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, stream) => {
    const packet = error.rawPacket
    if (error.code !== 'HPE_INVALID_METHOD' || !packet?.subarray(0, LIST.length).equals(LIST)) {
      refuse(stream)
      return
    }
    const first = Buffer.concat([Buffer.from(`GET ${marker}`), packet.subarray(LIST.length)])
    server.emit('connection', new Resumed(release(stream), first))
  })
}

/** The socket below, free of the parser that failed on it. */
function release(stream: Duplex): Socket {
  if (stream instanceof Resumed) {
    stream.detach()
    stream.removeAllListeners('data').removeAllListeners('end')
    return stream.socket
  }
  stream.removeAllListeners('data').removeAllListeners('end').removeAllListeners('drain')
  return stream as Socket
}

function refuse(stream: Duplex): void {
  if (stream.writable)
    stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  else stream.destroy()
}
