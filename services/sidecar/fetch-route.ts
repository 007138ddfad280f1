import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { SpanKind } from '@opentelemetry/api'
import { BadBrokerRequestError, bodyFrom, type OutgoingBody, type Upstream } from '#lib/broker'
import type { Secret } from '#lib/cluster'
import type { Clock } from '#lib/runtime'
import { attribute, inSpan } from '#lib/telemetry'
import type { Access, BrokeredSecret } from './access.ts'
import type { ContextRequest } from './context-routes.ts'

export interface FetchRouteOptions {
  access: Access
  upstream: Upstream
  clock: Clock
}

/** `/v1/fetch`: any method, the address in `x-tb-url`; status, headers and body of the service pass through. */
export class FetchRoute {
  readonly #options: FetchRouteOptions

  constructor(options: FetchRouteOptions) {
    this.#options = options
  }

  async serve(asked: ContextRequest, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { access } = this.#options
    const { method = 'GET' } = request
    const address = request.headers['x-tb-url']
    if (typeof address !== 'string') throw new BadBrokerRequestError('"x-tb-url": the address, once')
    const secret = access.forRequest(asked.attempt, method, address)
    const body = request.iterator({ destroyOnReturn: false })
    try {
      await this.#call(asked, { secret, method, address, request, body: await bodyFrom(body) }, response)
    } finally {
      // What the service did not want of it is read away: the context has no other connection in its place.
      const drain = () => void request.resume()
      void body.return?.().then(drain, drain)
    }
  }

  async #call(asked: ContextRequest, wanted: Wanted, response: ServerResponse): Promise<void> {
    const { access, upstream, clock } = this.#options
    const { attempt, signal, parent } = asked
    const { secret, method, address, request, body } = wanted
    const attributes = {
      [attribute.httpMethod]: method,
      [attribute.serverAddress]: new URL(address).hostname,
    }
    await inSpan(`fetch ${method}`, { kind: SpanKind.CLIENT, attributes, parent }, async (span) => {
      const limits = { budget: attempt.budget, signal, timeoutMs: attempt.callTimeoutMs(clock.now()) }
      const send = (brokered: BrokeredSecret) => {
        const carried = access.carried(attempt, brokered)
        const call = { secret: carried, method, address, headers: pairs(request.rawHeaders) }
        return upstream.send({ ...call, ...sized(body, request.headers['content-length']) }, limits)
      }
      const first = await access.brokered(attempt, secret, 'egress')
      const answer = await this.#againIfRefused(asked, { first, body, send, answer: await send(first) })
      span.setAttribute(attribute.httpStatus, answer.status)
      await passOn(asked, answer, response)
    })
  }

  /** A 401 may mean that the key was rotated meanwhile: with a newer one the call is made once more, if its body is still there. */
  async #againIfRefused({ attempt }: ContextRequest, sent: Sent): Promise<Answer> {
    const { first, body, answer } = sent
    if (answer.status !== 401) return answer
    const newer = await this.#options.access.newer(attempt, first, 'egress').catch((error: unknown) => {
      answer.body.destroy()
      throw error
    })
    if (!newer || !(body === undefined || body instanceof Uint8Array)) return answer
    answer.body.destroy()
    return await sent.send(newer)
  }
}

/** What a context asked for, judged already. */
interface Wanted {
  secret: Secret
  method: string
  address: string
  request: IncomingMessage
  body: OutgoingBody | undefined
}

interface Sent {
  first: BrokeredSecret
  body: OutgoingBody | undefined
  answer: Answer
  send: (secret: BrokeredSecret) => Promise<Answer>
}

function sized(body: OutgoingBody | undefined, length: string | undefined) {
  if (body === undefined) return {}
  return { body, ...(length === undefined ? {} : { bodyBytes: Number(length) }) }
}

type Answer = Awaited<ReturnType<Upstream['send']>>

/** An endless answer holds its connection like a relay does, so it takes one of the same places. */
async function passOn({ attempt }: ContextRequest, answer: Answer, response: ServerResponse): Promise<void> {
  const endless = answer.headers['content-type']?.startsWith('text/event-stream') ?? false
  let free: (() => void) | undefined
  try {
    if (endless) free = attempt.budget.connect()
    response.writeHead(answer.status, answer.headers)
    await pipeline(answer.body, response)
  } catch (error) {
    answer.body.destroy()
    throw error
  } finally {
    free?.()
  }
}

function* pairs(raw: string[]): Generator<[string, string]> {
  for (let at = 0; at < raw.length; at += 2) yield [raw[at]!, raw[at + 1]!]
}
