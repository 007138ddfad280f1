import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { messageOf, type Log } from '#lib/runtime'
import { refusalAnswer, type Core } from '../core.ts'
import type { Answer } from '../envelope.ts'
import { VaultRefusal } from '../errors.ts'
import { randomBase62 } from '../ids.ts'
import { acceptList } from './list-verb.ts'
import { readRequest } from './read-request.ts'

export interface HttpServerOptions {
  core: Core
  log: Log
  host: string
  port: number
}

/** The HTTP face of a core: every answer is JSON, never cached, and never a stack trace. */
export class HttpServer implements AsyncDisposable {
  readonly #core: Core
  readonly #log: Log
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** What begins the path of a LIST; a client cannot guess it. */
  readonly #listMarker = `/list-${randomBase62(24)}`

  static async open(options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(options)
    server.#server.listen(options.port, options.host)
    await once(server.#server, 'listening')
    return server
  }

  private constructor({ core, log }: HttpServerOptions) {
    this.#core = core
    this.#log = log
    this.#server = createServer((message, response) => void this.#serve(message, response))
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    acceptList(this.#server, this.#listMarker)
  }

  /** `http://host:port`. */
  get address(): string {
    const { address, port, family } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      send(response, await this.#core.handle(await readRequest(message, this.#listMarker)))
    } catch (error) {
      send(response, this.#refusal(error, message))
    }
  }

  #refusal(error: unknown, message: IncomingMessage): Answer {
    if (error instanceof VaultRefusal) return refusalAnswer(error)
    this.#log.error({ method: message.method, error: messageOf(error) }, 'request failed')
    return { status: 500, body: { errors: ['1 error occurred:\n\t* internal error\n\n'] } }
  }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  if (response.destroyed) return
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-type', 'application/json')
  if (status === 413) response.setHeader('connection', 'close')
  response.statusCode = status
  response.end(body === undefined ? undefined : `${JSON.stringify(body)}\n`)
}
