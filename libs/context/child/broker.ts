import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { BrokerError } from '#lib/agent'
import { type Connection, Connections } from './connections.ts'
import type { Doors } from './doors.ts'

/** One request to the broker. */
export interface BrokerRequest {
  method: string
  path: string
  headers?: OutgoingHttpHeaders
  body?: string | Uint8Array | AsyncIterable<Uint8Array>
  signal?: AbortSignal | undefined
}

/** The broker's client: HTTP/1.1 on the context's four connections. Every request says which span it belongs to. */
export class Broker {
  readonly connections: Connections
  readonly BrokerError: typeof BrokerError
  readonly #traceparent: () => string

  constructor(error: typeof BrokerError, doors: Doors, traceparent: () => string) {
    this.connections = new Connections(error, doors)
    this.BrokerError = error
    this.#traceparent = traceparent
  }

  /** A small request whose answer is JSON. @throws BrokerError with the type that the sidecar gave */
  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const payload = body === undefined ? {} : { body: JSON.stringify(body) }
    const { response } = await this.request({ method, path, headers, ...payload }, 'small')
    const text = await readText(response)
    if (response.statusCode! >= 300) throw this.errorOf(response.statusCode!, text)
    return JSON.parse(text) as T
  }

  /** Sends a request and gives the answer's head; its connection is free again when the body has been read. */
  async request(request: BrokerRequest, use: 'small' | 'held'): Promise<{ response: IncomingMessage }> {
    const traceparent = this.#traceparent()
    const connection = await this.connections.take(use)
    try {
      return { response: await this.#send(request, connection, traceparent) }
    } catch (error) {
      connection.retire()
      throw this.#unavailable(error)
    }
  }

  /** What the sidecar said went wrong. */
  errorOf(status: number, text: string): BrokerError {
    try {
      const { error } = JSON.parse(text) as { error: { type: string; message: string } }
      return new this.BrokerError(error.type, error.message)
    } catch {
      return new this.BrokerError('upstream', `the broker answered ${status}`)
    }
  }

  /** The header that says which span is current. */
  get traceHeader(): { traceparent: string } {
    return { traceparent: this.#traceparent() }
  }

  #send(request: BrokerRequest, connection: Connection, traceparent: string): Promise<IncomingMessage> {
    const { method, path, body, signal } = request
    const http = process.getBuiltinModule('node:http')
    const length =
      typeof body === 'string' || body instanceof Uint8Array
        ? { 'content-length': Buffer.byteLength(body) }
        : {}
    return new Promise((resolve, reject) => {
      const headers = { ...request.headers, ...length, traceparent }
      const sent = http.request({
        method,
        path,
        headers,
        agent: connection.agent,
        ...(signal ? { signal } : {}),
      })
      sent.once('error', reject)
      sent.once('response', (response) => {
        response.once('end', () => connection.release())
        response.once('close', () => (response.complete ? connection.release() : connection.retire()))
        resolve(response)
      })
      if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) sent.end(body)
      else process.getBuiltinModule('node:stream').Readable.from(body).on('error', reject).pipe(sent)
    })
  }

  #unavailable(error: unknown): unknown {
    const { name, code } = error as NodeJS.ErrnoException
    if (name === 'AbortError' || error instanceof this.BrokerError) return error
    return new this.BrokerError('broker-gone', `the broker cannot be reached: ${code ?? name}`)
  }
}

/** A body as text. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
