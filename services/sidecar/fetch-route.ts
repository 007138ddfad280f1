import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { SpanKind } from '@opentelemetry/api'
import { BadBrokerRequestError, matchEgress, type Upstream } from '#lib/broker'
import type { Clock } from '#lib/runtime'
import { attribute, inSpan } from '#lib/telemetry'
import type { Access } from './access.ts'
import type { ContextRequest } from './context-routes.ts'
import { readBody } from './exchange.ts'

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
    const { access, upstream, clock } = this.#options
    const { method = 'GET' } = request
    const address = request.headers['x-tb-url']
    if (typeof address !== 'string') throw new BadBrokerRequestError('"x-tb-url": the address, once')
    const { attempt, signal, parent } = asked
    const secret = access.forAddress(attempt, address)
    matchEgress(secret.egress!, method, address)
    const body = await readBody(request)
    const attributes = {
      [attribute.httpMethod]: method,
      [attribute.serverAddress]: new URL(address).hostname,
    }
    await inSpan(`fetch ${method}`, { kind: SpanKind.CLIENT, attributes, parent }, async (span) => {
      const brokered = await access.brokered(attempt, secret, 'egress')
      const answer = await upstream.send(
        {
          secret: access.carried(attempt, brokered),
          method,
          address,
          headers: pairs(request.rawHeaders),
          ...(body.length > 0 && { body }),
        },
        { budget: attempt.budget, signal, timeoutMs: attempt.callTimeoutMs(clock.now()) },
      )
      span.setAttribute(attribute.httpStatus, answer.status)
      if (answer.status === 401) access.keyRefused(attempt, brokered)
      await passOn(asked, answer, response)
    })
  }
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
