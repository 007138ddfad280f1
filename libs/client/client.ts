import { randomUUID } from 'node:crypto'
import { RequestFailedError, ThreadboundError } from './errors.ts'
import { call, type Call, type Caller } from './http.ts'
import type { Accepted, AgentView, RequestView } from './views.ts'

/** Where the producer is, and who asks. */
export interface ClientOptions {
  /** Base URL of the producer. */
  url: string
  /** `tbk_…`; sent as Bearer, and nowhere else. */
  apiKey: string
  /** Default: the global one. */
  fetch?: typeof fetch
}

/** How a request is sent. */
export interface EnqueueOptions {
  /**
   * The same key and input are one request, however often it is sent. Default: a new one per call, so that a lost answer
   * can be asked for again.
   */
  idempotencyKey?: string
  /** Up to 32 texts that travel to the agent. */
  metadata?: Record<string, string>
  signal?: AbortSignal
}

/** How long an end is waited for. */
export interface WaitOptions {
  /** Default: 10 minutes. */
  timeoutMs?: number
  signal?: AbortSignal
}

/** The producer answers a longer wait with 400. */
const LONGEST_WAIT_MS = 30_000
const DEFAULT_TIMEOUT_MS = 600_000

/** Sends requests to agents and gets their results. All methods throw {@link ThreadboundError}. */
export class ThreadboundClient {
  readonly #caller: Caller

  constructor({ url, apiKey, fetch: fetchWith = globalThis.fetch }: ClientOptions) {
    this.#caller = { url: url.replace(/\/+$/, ''), apiKey, fetch: fetchWith }
  }

  /** Sends a request; resolves once it cannot be lost any more. */
  async enqueue(agent: string, input: unknown, options: EnqueueOptions = {}): Promise<Accepted> {
    const { idempotencyKey = randomUUID(), metadata, signal } = options
    const body = { agent, input, idempotencyKey, ...(metadata ? { metadata } : {}) }
    return await this.#call({ method: 'POST', path: '/v1/requests', body, isRepeatable: true, signal })
  }

  /** What is known of a request now. */
  async request<Result = unknown>(
    id: string,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<RequestView<Result>> {
    return await this.#call({ method: 'GET', path: pathOf(id), isRepeatable: true, signal })
  }

  /** A request once it has ended, however it ended. @throws ThreadboundError `timeout` when it has not ended in time */
  async wait<Result = unknown>(id: string, options: WaitOptions = {}): Promise<RequestView<Result>> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options
    const until = performance.now() + timeoutMs
    for (;;) {
      const left = Math.max(0, until - performance.now())
      const waitMs = Math.ceil(Math.min(left, LONGEST_WAIT_MS))
      const path = `${pathOf(id)}?wait=${waitMs}ms`
      const view = await this.#call<RequestView<Result>>({
        method: 'GET',
        path,
        isRepeatable: true,
        signal,
        until,
        waitMs,
      })
      if (view.state === 'ended') return view
      if (performance.now() >= until)
        throw new ThreadboundError({
          status: 0,
          type: 'timeout',
          message: `request ${id} has not ended after ${timeoutMs} ms; it goes on`,
        })
    }
  }

  /**
   * Cancels a request, and gives it as it then is. One that waited has ended `cancelled`; one that runs has `cancelledAt`
   * and ends within a second or so; one that has ended stays as it is.
   */
  async cancel<Result = unknown>(
    id: string,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<RequestView<Result>> {
    return await this.#call({ method: 'DELETE', path: pathOf(id), isRepeatable: true, signal })
  }

  /** Sends a request and gives its result. @throws RequestFailedError when it ends in another way than completed */
  async run<Result = unknown>(
    agent: string,
    input: unknown,
    options: EnqueueOptions & WaitOptions = {},
  ): Promise<Result> {
    const { id } = await this.enqueue(agent, input, options)
    const view = await this.wait<Result>(id, options)
    if (view.outcome !== 'completed') throw new RequestFailedError(view)
    return view.result as Result
  }

  /** The agent types of the cluster, with their schemas. */
  async agents({ signal }: { signal?: AbortSignal } = {}): Promise<AgentView[]> {
    return await this.#call({ method: 'GET', path: '/v1/agents', isRepeatable: true, signal })
  }

  #call<T>(request: Call): Promise<T> {
    return call<T>(this.#caller, request)
  }
}

const pathOf = (id: string) => `/v1/requests/${encodeURIComponent(id)}`
