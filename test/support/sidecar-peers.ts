import { Agent, request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Preamble } from '#lib/wire'

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  json: any
}

/** Whoever talks to a sidecar: a fixed number of connections, each with its first line sent, under an HTTP agent. */
export class Peer {
  readonly sockets: Socket[]
  readonly #agent: Agent

  private constructor(sockets: Socket[]) {
    this.sockets = sockets
    const unused = [...sockets]
    this.#agent = new Agent({ keepAlive: true, maxSockets: sockets.length })
    this.#agent.createConnection = () => unused.shift()!
  }

  static async open(path: string, preamble: Preamble | string, count: number): Promise<Peer> {
    const line = typeof preamble === 'string' ? preamble : `${JSON.stringify(preamble)}\n`
    const sockets = await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connect(path)
        socket.on('error', () => {})
        await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
        socket.write(line)
        return socket
      }),
    )
    return new Peer(sockets)
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const asked = httpRequest(this.#options({ method, path, headers }), (response) => {
      text(response).then(
        (body) =>
          resolve({ status: response.statusCode!, headers: response.headers, text: body, json: parse(body) }),
        reject,
      )
    })
    asked.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
    return promise
  }

  /** A CONNECT: the status, and the raw connection. */
  async connect(target: string): Promise<{ status: number; socket: Socket; head: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{
      status: number
      socket: Socket
      head: string
    }>()
    const asked = httpRequest(this.#options({ method: 'CONNECT', path: target }))
    asked.on('connect', (response, socket, head) =>
      resolve({ status: response.statusCode!, socket, head: String(head) }),
    )
    asked.on('error', reject).end()
    return promise
  }

  /** Resolves when every connection is closed. */
  async closed(): Promise<void> {
    for (const socket of this.sockets)
      if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  #options(options: RequestOptions): RequestOptions {
    return { agent: this.#agent, host: 'sidecar', ...options }
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
