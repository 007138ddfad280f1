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

/**
 * Lets a Node server answer the verb LIST, which its parser refuses: the request line is rewritten to GET, with a
 * header that only this process knows, and the connection handed to the server anew.
 */
export function acceptList(server: Server, header: string): void {
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, stream) => {
    const packet = error.rawPacket
    if (error.code !== 'HPE_INVALID_METHOD' || !packet?.subarray(0, 5).equals(Buffer.from('LIST '))) {
      refuse(stream)
      return
    }
    server.emit('connection', new Resumed(release(stream), rewritten(packet, header)))
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

function rewritten(packet: Buffer, header: string): Buffer {
  const lineEnd = packet.indexOf('\r\n')
  if (lineEnd < 0) return packet
  const line = packet.subarray(0, lineEnd).toString('latin1').replace(/^LIST/, 'GET')
  return Buffer.concat([Buffer.from(`${line}\r\n${header}: 1`, 'latin1'), packet.subarray(lineEnd)])
}

function refuse(stream: Duplex): void {
  if (stream.writable)
    stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  else stream.destroy()
}
