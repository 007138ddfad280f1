import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { until } from './tiny-service.ts'

/** What the stand-in was posted, in order. */
export interface Posted {
  gate: unknown
  agent: string
  parent: { id: string; job: unknown }
  idempotencyKey: string
  authorization: string | undefined
  traceparent: string | undefined
}

/** How a gate lets through: what the producer would say of the called request. */
export type Answer = { outcome: string; result?: unknown; error?: { type: string; message: string } }

/**
 * A stand-in producer for `ctx.call`: every called request is a gate at which the attempt waits until the test lets it
 * through, so that a test knows that an attempt runs without asking the clock.
 */
export class Gates implements AsyncDisposable {
  readonly posted: Posted[] = []
  /** Gates whose calls were cancelled, in order. */
  readonly cancelled: unknown[] = []
  /** The next posts are refused with this status and body. */
  refuse: { status: number; body: string } | undefined
  /** The most attempts that ever waited at once. */
  most = 0
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  readonly #waiting = new Map<string, { gate: unknown; pass: (answer: Answer) => void }>()
  readonly #passed = new Map<string, Answer>()
  #port = 0

  static async open(): Promise<Gates> {
    const gates = new Gates()
    await gates.start()
    return gates
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Attempts that wait at a gate now. */
  get inside(): number {
    return this.#waiting.size
  }

  /** Listens, after {@link stop} on the same port. */
  async start(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Goes away, as a killed producer does. */
  async stop(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  /** Resolves when so many attempts have come to a gate. */
  async arrived(gate: unknown, times = 1): Promise<void> {
    await until(`${times} at gate ${JSON.stringify(gate)}`, () => this.at(gate).length >= times, 50_000)
  }

  at(gate: unknown): Posted[] {
    return this.posted.filter((one) => one.gate === gate)
  }

  /** Lets through whoever waits at a gate, and whoever comes later. */
  pass(gate: unknown, answer: Answer = { outcome: 'completed', result: 'passed' }): void {
    this.#passed.set(JSON.stringify(gate), answer)
    for (const one of this.#waiting.values()) if (one.gate === gate) one.pass(answer)
  }

  /** Lets one attempt through, whichever waits. */
  passOne(): void {
    const [first] = this.#waiting.values()
    first?.pass({ outcome: 'completed', result: 'passed' })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request).catch(() => '')
    if (this.refuse)
      return void response
        .writeHead(this.refuse.status, { 'content-type': 'application/problem+json' })
        .end(this.refuse.body)
    if (request.method === 'GET') return this.#wait(request.url!.split(/[/?]/)[3]!, response)
    if (request.method === 'DELETE') return this.#cancel(request.url!.split('/')[3]!, response)
    const { agent, input, parent, idempotencyKey } = JSON.parse(body)
    const { authorization, traceparent } = request.headers
    const seen = { gate: input.gate, agent, parent, idempotencyKey, authorization }
    this.posted.push({ ...seen, traceparent: traceparent as string | undefined })
    response.writeHead(202, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ id: `other.${this.posted.length}` }))
  }

  #gateOf = (id: string) => this.posted[Number(id.split('.')[1]) - 1]!.gate

  #cancel(id: string, response: ServerResponse): void {
    this.cancelled.push(this.#gateOf(id))
    response.writeHead(202, { 'content-type': 'application/json' }).end('{}')
  }

  #wait(id: string, response: ServerResponse): void {
    const gate = this.#gateOf(id)
    const answer = (view: Answer) => {
      this.#waiting.delete(id)
      response.end(JSON.stringify({ state: 'ended', ...view }))
    }
    response.once('close', () => this.#waiting.delete(id))
    response.writeHead(200, { 'content-type': 'application/json' })
    const passed = this.#passed.get(JSON.stringify(gate))
    if (passed) answer(passed)
    else this.#waiting.set(id, { gate, pass: answer })
    this.most = Math.max(this.most, this.inside)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.stop()
  }
}
