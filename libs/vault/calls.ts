import nodeVault from 'node-vault'
import type * as z from 'zod'
import { type Clock, steadyClock } from '#lib/runtime'
import { Breaker } from './breaker.ts'
import { VaultError } from './errors.ts'
import { failureOf } from './failures.ts'
import type { VaultPath } from './path.ts'
import { retrying } from './retry.ts'
import { type TransportReply, VaultTransport } from './transport.ts'

/** How to reach a Vault. */
export interface VaultOptions {
  /** `http://host:port` or `https://host:port`. Nothing is read from VAULT_* variables. */
  address: string
  /** Namespace of Vault Enterprise or OpenBao. Default: none. */
  namespace?: string | undefined
  /** PEM of the authority that signed Vault's certificate. Default: Node's list. */
  ca?: string | undefined
  /** PEM of our own certificate and its key, for a Vault that asks for one. Default: none. */
  cert?: string | undefined
  key?: string | undefined
  /** Default 2 s. */
  connectTimeoutMs?: number | undefined
  /** How long a call may take with all its retries. Default 5 s. */
  totalTimeoutMs?: number | undefined
  /** The same where Vault asks another service (database credentials and connections). Default 15 s. */
  slowTimeoutMs?: number | undefined
  clock?: Clock | undefined
  random?: (() => number) | undefined
}

/** One call: where, as whom, and what a good answer looks like. */
export interface Call<T> {
  method: 'GET' | 'POST' | 'DELETE'
  path: VaultPath
  /** Undefined: an unauthenticated call. */
  token?: string | undefined
  json?: object | undefined
  /** True: asks for the names below the path. As a parameter, because no proxy and no server of Node's knows the verb LIST. */
  list?: boolean
  /** What follows the path's `?`. */
  query?: string | undefined
  answer: z.ZodType<T>
  /** True: may be sent again when the first try's fate is unknown. Default: GET only. */
  idempotent?: boolean
  /** True: Vault asks another service, so it may take longer. */
  slow?: boolean
  /** Asks for the answer wrapped into a single-use token of this life. */
  wrapTtlMs?: number
  /** A login: 403 means locked out. */
  login?: boolean
  /** These statuses are answers, not errors. */
  accept?: (status: number) => boolean
}

type Request = Parameters<ReturnType<typeof nodeVault>['request']>[0]
type Extras = { headers: Record<string, string>; json?: object; signal: AbortSignal; call: Call<unknown> }

/**
 * Calls to one Vault through node-vault, over our own transport.
 * C1: node-vault's client never holds a token; each call sets its own in fresh headers, so no call acts as another.
 * C2: only its `request` is used: its named commands change the client's token, drop fields and render paths.
 * C3: only an idempotent call is ever sent twice.
 * C4: a Vault that has left five calls without an answer is asked once a second, by one of all callers.
 */
export class VaultCalls implements AsyncDisposable {
  readonly #transport: VaultTransport
  readonly #client: ReturnType<typeof nodeVault>
  readonly #options: VaultOptions
  readonly #clock: Clock
  readonly #breaker: Breaker

  constructor(options: VaultOptions) {
    const { address, ca, cert, key, connectTimeoutMs = 2000 } = options
    this.#options = options
    this.#clock = options.clock ?? steadyClock
    this.#breaker = new Breaker(this.#clock)
    this.#transport = new VaultTransport({ address, ca, cert, key, connectTimeoutMs })
    this.#client = nodeVault({
      endpoint: new URL(address).origin,
      noCustomHTTPVerbs: true,
      debug: () => {},
      'request-promise': { defaults: () => (request: Request & Extras) => this.#send(request) },
    })
    // The factory fell back to the environment where an option is empty; take that back.
    Object.assign(this.#client, { token: undefined, namespace: undefined, pathPrefix: '' })
  }

  /** Makes a call and gives its checked answer. @throws VaultError */
  async call<T>(call: Call<T>): Promise<T> {
    const reply = await this.callRaw(call)
    const parsed = call.answer.safeParse(reply.body ?? {})
    if (parsed.success) return parsed.data
    const fields = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')
    const reason = `unexpected answer at ${fields || 'its root'}`
    throw new VaultError({
      kind: 'server',
      operation: operationOf(call),
      status: reply.status,
      reason,
      retryable: false,
    })
  }

  /** The same without checking the body, for the call that reads its status. */
  async callRaw(call: Call<unknown>): Promise<TransportReply> {
    const { totalTimeoutMs = 5000, slowTimeoutMs = 15_000, random = Math.random } = this.#options
    const signal = AbortSignal.timeout(call.slow ? slowTimeoutMs : totalTimeoutMs)
    const idempotent = call.idempotent ?? call.method === 'GET'
    return retrying({ idempotent, clock: this.#clock, random, signal }, () =>
      this.#breaker.guard(operationOf(call), () => this.#once(call, signal)),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]()
  }

  async #once(call: Call<unknown>, signal: AbortSignal): Promise<TransportReply> {
    const extras: Extras = {
      headers: this.#headers(call),
      signal,
      call,
      ...(call.json && { json: call.json }),
    }
    return this.#client.request({ path: `/${call.path}`, method: call.method, ...extras })
  }

  #headers(call: Call<unknown>): Record<string, string> {
    return {
      'user-agent': 'threadbound',
      'x-vault-request': 'true',
      ...(call.json && { 'content-type': 'application/json' }),
      ...(call.token && { 'x-vault-token': call.token }),
      ...(this.#options.namespace && { 'x-vault-namespace': this.#options.namespace }),
      ...(call.wrapTtlMs && { 'x-vault-wrap-ttl': durationOf(call.wrapTtlMs) }),
    }
  }

  /** What node-vault calls in place of axios. The path '/' keeps its special case for sys/health away. */
  async #send({ method, headers, signal, call }: Request & Extras) {
    const body = call.json && JSON.stringify(call.json)
    const query = call.list ? 'list=true' : call.query
    const path = query === undefined ? call.path : `${call.path}?${query}`
    const reply = await this.#transport.send({ method, path, headers, body, signal })
    const good =
      reply.status === 200 || reply.status === 202 || reply.status === 204 || call.accept?.(reply.status)
    if (!good) throw failureOf(operationOf(call), reply, call.login === true)
    return { statusCode: 200, body: reply, request: { path: '/' } }
  }
}

/** A duration as Vault reads it, rounded up to whole seconds. */
export function durationOf(ms: number): string {
  return `${Math.max(1, Math.ceil(ms / 1000))}s`
}

const operationOf = (call: Call<unknown>) => `${call.method} ${call.path}`
