import { Agent, errors as undiciErrors } from 'undici'
import { VaultError, type VaultFailure } from './errors.ts'

const MAX_ANSWER_BYTES = 2 ** 20

/** What a transport needs to know. */
export interface TransportOptions {
  /** `http://host:port` or `https://host:port`. */
  address: string
  /** How long a TCP and TLS handshake may take. */
  connectTimeoutMs: number
  /** PEM of the authority that signed Vault's certificate. Default: Node's list. */
  ca?: string | undefined
  /** PEM of our own certificate and its key. */
  cert?: string | undefined
  key?: string | undefined
}

/** One request as it goes out. */
export interface TransportRequest {
  method: string
  /** Below `/v1/`, sent byte for byte. */
  path: string
  headers: Record<string, string>
  body?: string | undefined
  /** Ends the request; the caller's deadline. */
  signal: AbortSignal
}

/** One answer. `body` is parsed JSON, or undefined when there was none. */
export interface TransportReply {
  status: number
  body: unknown
  retryAfterMs?: number | undefined
}

/**
 * HTTP to one Vault and to nothing else.
 * T1: no redirect is followed (a token would travel with it), no proxy of the environment is used, certificates
 *     are always checked.
 * T2: an answer above 1 MiB, or one that is not JSON, is an error.
 * T3: what it throws is a VaultError; undici's own errors stay here.
 */
export class VaultTransport implements AsyncDisposable {
  readonly #agent: Agent
  readonly #origin: string

  constructor(options: TransportOptions) {
    this.#origin = originOf(options.address)
    this.#agent = new Agent({
      connections: 8,
      pipelining: 1,
      maxResponseSize: MAX_ANSWER_BYTES,
      connect: {
        timeout: options.connectTimeoutMs,
        rejectUnauthorized: true,
        ca: options.ca,
        cert: options.cert,
        key: options.key,
      },
    })
  }

  /** Sends once, and gives the answer whatever its status. @throws VaultError timeout, network or server */
  async send(request: TransportRequest): Promise<TransportReply> {
    const operation = `${request.method} ${request.path}`
    try {
      const answer = await this.#agent.request({ ...asDispatch(request), origin: this.#origin })
      return read(operation, answer.statusCode, answer.headers, await answer.body.text())
    } catch (error) {
      throw error instanceof VaultError ? error : new VaultError(failureOfTransport(operation, error))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy()
  }
}

function asDispatch({ method, path, headers, body, signal }: TransportRequest) {
  return { method, path: `/v1/${path}`, headers, body: body ?? null, signal }
}

function read(
  operation: string,
  status: number,
  headers: Record<string, string | string[] | undefined>,
  text: string,
): TransportReply {
  const retryAfterMs = Number(headers['retry-after']) * 1000 || undefined
  const body = parse(text)
  if (status < 300 && text && body === undefined)
    throw new VaultError({
      kind: 'server',
      operation,
      status,
      reason: 'the answer is not JSON',
      retryable: false,
    })
  return { status, body, retryAfterMs }
}

function parse(text: string): unknown {
  try {
    return text ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

function failureOfTransport(operation: string, error: unknown): VaultFailure {
  if (error instanceof undiciErrors.ResponseExceededMaxSizeError)
    return { kind: 'server', operation, reason: 'the answer exceeds 1 MiB', retryable: false }
  const { name, code } = error as { name?: string; code?: unknown }
  const reason = typeof code === 'string' ? code : undefined
  const late = name === 'TimeoutError' || name === 'AbortError' || (reason?.includes('TIMEOUT') ?? false)
  return { kind: late || reason === 'ETIMEDOUT' ? 'timeout' : 'network', operation, reason }
}

function originOf(address: string): string {
  const url = URL.parse(address)
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.pathname !== '/')
    throw new TypeError('vault address: expected http://host:port or https://host:port, without path or user')
  return url.origin
}
