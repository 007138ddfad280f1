import type { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import type { Broker } from './broker.ts'

type Done = (error?: Error | null) => void

/**
 * A byte stream to a leased database, through the broker. It opens at the first use, or at `connect()`, which database
 * drivers call on a socket; so does it answer the other things that they ask of one.
 */
export class Relay extends Duplex {
  readonly #broker: Broker
  readonly #name: string
  #socket: Promise<Duplex> | undefined

  constructor(broker: Broker, name: string) {
    super()
    this.#broker = broker
    this.#name = name
  }

  /** Takes a driver's port and host and does not need them. Emits `connect`. */
  connect(): this {
    void this.#with(() => {})
    return this
  }
  setNoDelay = (): this => this
  setKeepAlive = (): this => this
  setTimeout = (): this => this
  ref = (): this => this
  unref = (): this => this

  override _read(): void {
    void this.#with((socket) => socket.resume())
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    void this.#with((socket) => socket.write(chunk, done), done)
  }

  override _final(done: Done): void {
    if (!this.#socket) return done()
    void this.#with((socket) => socket.end(done), done)
  }

  override _destroy(error: Error | null, done: Done): void {
    if (this.#socket) void this.#with((socket) => socket.destroy())
    done(error)
  }

  async #with(use: (socket: Duplex) => unknown, failed: Done = () => {}): Promise<void> {
    try {
      use(await this.#opened())
    } catch (error) {
      failed(error as Error)
    }
  }

  #opened(): Promise<Duplex> {
    this.#socket ??= this.#open().then(
      (socket) => this.#joined(socket),
      (error: Error) => {
        this.destroy(error)
        throw error
      },
    )
    return this.#socket
  }

  #joined(socket: Duplex): Duplex {
    socket.on('data', (chunk: Buffer) => this.push(chunk) || socket.pause())
    socket.once('end', () => this.push(null))
    socket.once('close', () => this.destroy())
    socket.on('error', () => {})
    this.emit('connect')
    return socket
  }

  async #open(): Promise<Duplex> {
    const headers = this.#broker.traceHeader
    const connection = await this.#broker.connections.take('held')
    const http = process.getBuiltinModule('node:http')
    const request = http.request({
      method: 'CONNECT',
      path: `${this.#name}:0`,
      headers,
      agent: connection.agent,
    })
    return new Promise((resolve, reject) => {
      request.once('error', (error) => {
        connection.retire()
        reject(error)
      })
      request.once('connect', (response: IncomingMessage, socket: Duplex, head: Buffer) => {
        if (response.statusCode === 200) {
          socket.once('close', () => connection.retire())
          if (head.length > 0) socket.unshift(head)
          return resolve(socket)
        }
        socket.destroy()
        connection.retire()
        reject(this.#broker.errorOf(response.statusCode!, head.toString()))
      })
      request.end()
    })
  }
}
