import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What is wrong with a Vault, as those see it who call it. */
export type VaultFault =
  | 'refused'
  | 'hanging'
  | 'rate-limited'
  | 'sealed'
  | 'redirecting'
  | 'failing'
  | 'reset'
  | 'answer-lost'

const ANSWERS: Partial<Record<VaultFault, [status: number, body: object, headers?: Record<string, string>]>> =
  {
    'rate-limited': [429, { errors: ['request path "x": rate limit quota exceeded'] }],
    sealed: [503, { errors: ['Vault is sealed'] }],
    redirecting: [307, {}, { location: 'http://127.0.0.1:1/v1/elsewhere' }],
    failing: [500, { errors: ['internal error'] }],
  }

/** Stands before a Vault and passes everything on, until a fault is set. */
export class FaultyVault implements AsyncDisposable {
  readonly #server = createServer((incoming, response) => this.#take(incoming, response))
  readonly #target: URL
  #port = 0
  #fault: VaultFault | undefined
  #where = /^/

  private constructor(target: string) {
    this.#target = new URL(target)
  }

  static async open(target: string): Promise<FaultyVault> {
    const faulty = new FaultyVault(target)
    await faulty.#listen()
    return faulty
  }

  get address(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** From now on, for the paths that match; undefined: nothing is wrong any more. */
  async set(fault: VaultFault | undefined, where = /^/): Promise<void> {
    this.#fault = fault
    this.#where = where
    this.#server.closeAllConnections()
    if (fault === 'refused') await this.#close()
    else if (!this.#server.listening) await this.#listen()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    if (this.#server.listening) await this.#close()
  }

  async #listen(): Promise<void> {
    await once(this.#server.listen(this.#port, '127.0.0.1'), 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async #close(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #take(incoming: IncomingMessage, response: ServerResponse): void {
    const fault = this.#where.test(incoming.url ?? '') ? this.#fault : undefined
    if (fault === 'hanging') return
    if (fault === 'reset') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 })
      response.write('{"data":', () => response.destroy())
      return
    }
    const [status, body, headers] = (fault && ANSWERS[fault]) ?? []
    if (status)
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    else this.#forward(incoming, response, fault === 'answer-lost')
  }

  /** `isLost`: Vault does what it was asked for, and its answer never comes. */
  #forward(incoming: IncomingMessage, response: ServerResponse, isLost: boolean): void {
    const { method, url, headers } = incoming
    const { hostname, port } = this.#target
    const passed = request({ hostname, port, method, path: url, headers, agent: false }, (answer) => {
      if (isLost) response.destroy()
      else answer.pipe(response.writeHead(answer.statusCode!, answer.headers))
    })
    passed.on('error', () => response.destroy())
    incoming.pipe(passed)
  }
}
