import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from '@opentelemetry/api'
import type { Access } from './access.ts'
import { NoRouteError } from './errors.ts'
import { readJson } from './exchange.ts'
import { failureOf } from './failure.ts'
import type { FetchRoute } from './fetch-route.ts'
import type { LiveAttempt } from './live-attempt.ts'
import type { ModelRoute } from './model-route.ts'
import { serveLease, serveSecret } from './secret-routes.ts'

/** A request of a context whose attempt has a grant. */
export interface ContextRequest {
  attempt: LiveAttempt
  /** Aborts when the attempt ends or the context hangs up. */
  signal: AbortSignal
  /** The span that ours belong under. */
  parent: Context
}

export interface ContextRoutesOptions {
  access: Access
  model: ModelRoute
  fetch: FetchRoute
}

/** What a context may ask, as `#lib/wire` describes it. CONNECT goes another way: it takes the connection over. */
export class ContextRoutes {
  readonly #options: ContextRoutesOptions

  constructor(options: ContextRoutesOptions) {
    this.#options = options
  }

  async serve(request: IncomingMessage, response: ServerResponse, attempt: LiveAttempt): Promise<void> {
    const hungUp = new AbortController()
    response.once('close', () => hungUp.abort(new Error('the context hung up')))
    const signal = AbortSignal.any([attempt.signal, hungUp.signal])
    const asked = { attempt, signal, parent: attempt.parentOf(request.headers['traceparent']) }
    try {
      await this.#route(asked, request, response)
    } catch (error) {
      const { status, type } = failureOf(error)
      if (status === 403 && !attempt.signal.aborted)
        this.#options.access.denied(attempt, pathOf(request), type)
      throw error
    }
  }

  async #route(asked: ContextRequest, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { access, model, fetch } = this.#options
    const { method = '', url = '' } = request
    const secret = /^\/v1\/secrets\/([a-z][a-z0-9-]{0,40})$/.exec(url)?.[1]
    if (url === '/v1/fetch') return fetch.serve(asked, request, response)
    if (method === 'GET' && secret) return serveSecret(access, asked, response, secret)
    if (method !== 'POST') throw new NoRouteError(method, url)
    if (url === '/v1/model/generate') return model.generate(asked, response, await readJson(request))
    if (url === '/v1/model/stream') return model.stream(asked, response, await readJson(request))
    if (url === '/v1/leases') return serveLease(access, asked, response, await readJson(request))
    throw new NoRouteError(method, url)
  }
}

const pathOf = ({ url = '' }: IncomingMessage) => url.slice(0, 100)
