import { Agent, type ClientRequest, type IncomingMessage, request, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { GrantEnd, GrantRequest, Preamble } from '#lib/wire'

/** The sidecar refused a grant or cannot be reached. `type` is the sidecar's; the attempt fails and may be made again. */
export class GrantError extends Error {
  override readonly name = 'GrantError'
  readonly type: string
  constructor(type: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.type = type
  }
}

/** What a worker asks of the sidecar beside it. */
export interface SidecarClient extends AsyncDisposable {
  /** Attaches an attempt's rights to its context's connections. @throws GrantError */
  grant(attempt: GrantRequest): Promise<string>
  /** Ends a grant and resolves when what was leased is revoked, or the sidecar goes on doing so by itself. */
  end(grant: string): Promise<GrantEnd>
}

/** Connections to one sidecar socket that begin with the worker's preamble. */
class WorkerAgent extends Agent {
  readonly #path: string
  readonly #preamble: Preamble

  constructor(path: string, credential: string) {
    super({ keepAlive: true, scheduling: 'lifo' })
    this.#path = path
    this.#preamble = { role: 'worker', credential }
  }

  override createConnection(): Duplex {
    const socket = connect(this.#path)
    socket.write(`${JSON.stringify(this.#preamble)}\n`)
    return socket
  }
}

/** A client on the sidecar's socket of this worker's agent type. Connects when it is first asked. */
export function openSidecarClient(path: string, credential: string): SidecarClient {
  const agent = new WorkerAgent(path, credential)
  const ask = (options: RequestOptions, body?: unknown) => send({ ...options, agent, host: 'sidecar' }, body)
  return {
    async grant(attempt) {
      return ((await ask({ method: 'POST', path: '/v1/grants' }, attempt)) as { grant: string }).grant
    },
    async end(grant) {
      return (await ask({ method: 'DELETE', path: `/v1/grants/${encodeURIComponent(grant)}` })) as GrantEnd
    },
    async [Symbol.asyncDispose]() {
      agent.destroy()
    },
  }
}

/** For an agent type without a sidecar: no grant is attached, the broker refuses everything. */
export const noSidecar: SidecarClient = {
  grant: async () => '',
  end: async () => ({ revokedLeases: 0 }),
  [Symbol.asyncDispose]: async () => {},
}

async function send(options: RequestOptions, body?: unknown): Promise<unknown> {
  const call = request({ ...options, headers: { 'content-type': 'application/json' }, timeout: 15_000 })
  call.on('timeout', () => call.destroy(new Error('no answer within 15 s')))
  call.end(body === undefined ? undefined : JSON.stringify(body))
  const { status, answer } = await response(call)
  if (status < 300) return answer
  const error = (answer as { error?: { type?: string; message?: string } }).error
  throw new GrantError(error?.type ?? 'sidecar', error?.message ?? `sidecar answered ${status}`)
}

async function response(call: ClientRequest): Promise<{ status: number; answer: unknown }> {
  try {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    call.once('response', resolve).once('error', reject)
    const message = await promise
    const body = await text(message)
    return { status: message.statusCode ?? 500, answer: body ? JSON.parse(body) : {} }
  } catch (cause) {
    throw new GrantError(
      'sidecar-unreachable',
      `the sidecar cannot be reached: ${(cause as Error).message}`,
      { cause },
    )
  }
}
