import { Readable } from 'node:stream'
import { Masker, Patterns } from '#lib/secrets'
import { Agent, type Dispatcher, errors } from 'undici'
import { judgedLookup, type Resolve } from './addresses.ts'
import type { AttemptBudget } from './budget.ts'
import { Capped } from './capped.ts'
import { type Dialled, tellingDialled } from './dialled.ts'
import { AttemptLimitError, BodyTooLargeError, EgressRefusedError, UpstreamError } from './errors.ts'
import { keyHeader, requestHeaders, responseHeaders } from './headers.ts'
import { type OutgoingBody, REQUEST_BODY_BYTES } from './request-body.ts'
import { type EgressRules, matchEgress } from './rules.ts'

/** Longest response body, bytes. */
export const RESPONSE_BODY_BYTES = 16 * 2 ** 20

/** A secret on its way into a header. */
export interface CarriedSecret {
  egress: EgressRules & { header: string }
  /** Gives the value; called once, right before the request is written. */
  reveal(): string
  /** Hears each time that the service sends the value back. */
  echoed?(): void
  /** Hears which address the request with the value is sent to, right before it is. */
  dialled?: Dialled
}

/** What masks the value in all that comes back. */
export function maskerOf({ reveal, echoed }: Pick<CarriedSecret, 'reveal' | 'echoed'>): Masker {
  const patterns = new Patterns()
  patterns.add('key', reveal())
  return new Masker(patterns, echoed)
}

/** On whose account a call is made, and how long it may take. */
export interface CallLimits {
  budget: AttemptBudget
  /** Ends the call, its body included; the reason is what the caller gets. */
  signal: AbortSignal
  /** Longest time until the answer's end. */
  timeoutMs: number
}

/** One HTTP request as a context asked for it; only some of its headers leave. */
export interface OutgoingCall {
  secret: CarriedSecret
  method: string
  /** As it was written; matched and sent byte for byte. */
  address: string
  headers: Iterable<[string, string]>
  body?: OutgoingBody
  /** Of a streamed body, where it is known. */
  bodyBytes?: number
}

/** What the service answered: any status, headers that may enter a context. */
export interface IncomingAnswer {
  status: number
  headers: Record<string, string>
  /** Plain bytes, masked and capped. */
  body: Readable
}

export interface UpstreamOptions {
  /** For a connection. Default: 5 s. */
  connectTimeoutMs?: number
  /** Default: the system's. */
  resolve?: Resolve
}

/** The one way out: connections to services outside, without proxies and without following redirects. */
export class Upstream implements AsyncDisposable {
  readonly #options: UpstreamOptions
  /** By the networks that may be dialled beside the public internet: connections are shared only among equals. */
  readonly #agents = new Map<string, Agent>()

  private constructor(options: UpstreamOptions) {
    this.#options = options
  }

  /** Connects to nothing yet. */
  static open(options: UpstreamOptions = {}): Upstream {
    return new Upstream(options)
  }

  /**
   * Makes one call with the key added.
   * @throws EgressRefusedError, BodyTooLargeError, AttemptLimitError before anything is sent; UpstreamError after
   */
  async send(call: OutgoingCall, { budget, signal, timeoutMs }: CallLimits): Promise<IncomingAnswer> {
    const target = matchEgress(call.secret.egress, call.method, call.address)
    const known = call.body instanceof Uint8Array ? call.body.length : call.bodyBytes
    if (known !== undefined && known > REQUEST_BODY_BYTES)
      throw new BodyTooLargeError('request', REQUEST_BODY_BYTES)
    budget.call()
    const body = counted(call.body, budget)
    const value = call.secret.reveal()
    const [name, header] = keyHeader(call.secret.egress.header, value)
    const masker = maskerOf({ ...call.secret, reveal: () => value })
    const deadline = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)))
    const ended = AbortSignal.any([signal, deadline])
    const { networks = [] } = call.secret.egress
    const headers = { ...requestHeaders(call.headers), ...lengthOf(call), [name]: header }
    const answer = await tellingDialled(call.secret.dialled, () =>
      this.#agentFor(networks).request({ ...target, method: call.method, headers, body, signal: ended }),
    ).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : failureOf(error)
    })
    return receive(answer, { masker, budget, explain: () => (signal.aborted ? signal.reason : undefined) })
  }

  #agentFor(networks: readonly string[]): Agent {
    return this.#agents.getOrInsertComputed(networks.join(), () => {
      const { connectTimeoutMs: timeout = 5000, resolve } = this.#options
      const connect = { timeout, lookup: judgedLookup(networks, resolve), rejectUnauthorized: true }
      return new Agent({ connect, allowH2: false, headersTimeout: 0, bodyTimeout: 0 })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()))
  }
}

/** The body as the transport takes it, its bytes charged to the attempt: a stream's as they are read. */
function counted(body: OutgoingBody | undefined, budget: AttemptBudget): Uint8Array | Readable | null {
  if (body === undefined) return null
  if (!(body instanceof Uint8Array)) return Readable.from(charged(body, budget), { objectMode: false })
  budget.move(body.length)
  return body
}

async function* charged(body: AsyncIterable<Uint8Array>, budget: AttemptBudget) {
  for await (const chunk of body) {
    budget.move(chunk.length)
    yield chunk
  }
}

/** A stream of known length says it, since not every service takes chunks. */
function lengthOf({ body, bodyBytes }: OutgoingCall): Record<string, string> {
  return body instanceof Uint8Array || bodyBytes === undefined ? {} : { 'content-length': String(bodyBytes) }
}

interface Receiving {
  masker: Masker
  budget: AttemptBudget
  explain: () => Error | undefined
}

function receive(answer: Dispatcher.ResponseData, { masker, budget, explain }: Receiving): IncomingAnswer {
  try {
    const headers = responseHeaders(answer.headers, (text) => masker.text(text))
    const capped = new Capped(RESPONSE_BODY_BYTES, (bytes) => budget.move(bytes))
    const body = masker.stream()
    answer.body.once('error', (error) => body.destroy(explain() ?? failureOf(error)))
    capped.once('error', (error) => body.destroy(error))
    body.once('close', () => answer.body.destroy())
    body.on('error', () => {})
    answer.body.pipe(capped).pipe(body)
    return { status: answer.statusCode, headers, body }
  } catch (error) {
    answer.body.on('error', () => {}).destroy()
    throw error
  }
}

/** What we refuse while the transport is at work: the address that it would dial, a body that does not end. */
const OURS = [UpstreamError, EgressRefusedError, BodyTooLargeError, AttemptLimitError]

/** An error of the transport as one of ours. Its own message may name addresses, never a header. */
function failureOf(cause: unknown): Error {
  if (cause instanceof Error && OURS.some((ours) => cause instanceof ours)) return cause
  const name = cause instanceof Error ? cause.name : ''
  if (name === 'TimeoutError' || cause instanceof errors.ConnectTimeoutError)
    return new UpstreamError('upstream-timeout', 'the service did not answer in time')
  const { code } = cause as { code?: string }
  return new UpstreamError('upstream-failed', `the service could not be reached${code ? ` (${code})` : ''}`)
}
