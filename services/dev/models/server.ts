import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { type Clock, type Log, systemClock } from '#lib/runtime'
import { anthropic } from './anthropic.ts'
import { answerTo, type Conversation, faultOf } from './conversation.ts'
import { BadRequestError, type Dialect } from './dialect.ts'
import type { AcceptedKeys } from './keys.ts'
import { openai } from './openai.ts'
import { Organization } from './organization/organization.ts'
import { type AdminFault, ORGANIZATION_PATH, serveOrganization } from './organization/routes.ts'

export interface StandInOptions {
  host: string
  port: number
  keys: AcceptedKeys
  /** Where keys are kept that are made by calls. Default: in memory. */
  stateFile?: string | undefined
  /** How long a new key is refused before it is known everywhere. Default 0. */
  propagationMs?: number | undefined
  log: Log
  clock?: Clock | undefined
}

const DIALECTS = [anthropic, openai]

/**
 * The stand-in model provider: Anthropic Messages, OpenAI Chat Completions, and the calls of OpenAI's organization that
 * make and end keys, on one HTTP server.
 */
export class StandIn implements AsyncDisposable {
  /** What goes wrong with the next calls to the organization; for tests. */
  readonly faults: AdminFault[] = []
  readonly #server: Server
  readonly #stop = new AbortController()

  private constructor(server: Server) {
    this.#server = server
  }

  static async open({
    host,
    port,
    keys,
    log,
    clock = systemClock,
    ...options
  }: StandInOptions): Promise<StandIn> {
    const organization = new Organization({ ...options, keys, clock })
    const server = createServer((request, response) => {
      const serving = { keys, organization, faults: standIn.faults, stop: standIn.#stop.signal }
      serve(request, response, serving).catch((error: unknown) => {
        if (!response.destroyed) log.error({ error: String(error) }, 'model stand-in failed')
        response.destroy()
      })
    })
    const standIn = new StandIn(server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, host, resolve)
    })
    return standIn
  }

  /** Base URL, without a path. */
  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

interface Serving {
  keys: AcceptedKeys
  organization: Organization
  faults: AdminFault[]
  stop: AbortSignal
}

async function serve(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const path = (request.url ?? '').split('?')[0]!
  if (path.startsWith(ORGANIZATION_PATH)) return serveOrganization({ ...serving, request, response })
  if (path === '/v1/models' && request.method === 'GET') return sendModels(request, response, serving)
  const dialect = DIALECTS.find((candidate) => candidate.path === path)
  if (!dialect || request.method !== 'POST') {
    send(response, 404, anthropic.error(404, `${request.method} ${path} is not served here`))
    return undefined
  }
  const key = dialect.keyOf(request.headers)
  if (!key || !accepts(serving, dialect, key)) {
    request.resume()
    send(response, 401, dialect.error(401, '', key))
    return undefined
  }
  return converse({ dialect, request, response, key, stop: serving.stop })
}

interface Exchange {
  dialect: Dialect
  request: IncomingMessage
  response: ServerResponse
  key: string
  stop: AbortSignal
}

async function converse(exchange: Exchange): Promise<void> {
  const { dialect, request, response, key, stop } = exchange
  try {
    const conversation = dialect.read(await json(request), request.headers)
    const fault = faultOf(conversation)
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'status') {
      const retry = fault.status === 429 ? { 'retry-after': '1' } : {}
      return send(response, fault.status, dialect.error(fault.status, 'asked for by the prompt'), retry)
    }
    const pauseMs = fault?.kind === 'slow' ? fault.ms : 0
    await (conversation.stream
      ? stream({ ...exchange, conversation, pauseMs })
      : delay(pauseMs, undefined, { signal: stop }).then(() =>
          send(response, 200, dialect.answer(conversation, answerTo(conversation, key))),
        ))
  } catch (error) {
    if (!(error instanceof BadRequestError) && !(error instanceof SyntaxError)) throw error
    send(response, 400, dialect.error(400, error.message))
  }
}

async function stream(exchange: Exchange & { conversation: Conversation; pauseMs: number }): Promise<void> {
  const { dialect, response, conversation, key, pauseMs, stop } = exchange
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  for (const event of dialect.events(conversation, answerTo(conversation, key))) {
    if (pauseMs > 0) await delay(pauseMs, undefined, { signal: stop })
    if (response.destroyed) return
    response.write(event)
  }
  response.end()
}

function accepts({ keys, organization }: Serving, { provider }: Dialect, key: string): boolean {
  return provider === 'openai' ? organization.use(key) : keys.has(provider, key)
}

function sendModels(request: IncomingMessage, response: ServerResponse, serving: Serving): void {
  const dialect = request.headers['x-api-key'] ? anthropic : openai
  const key = dialect.keyOf(request.headers)
  if (key && accepts(serving, dialect, key)) send(response, 200, dialect.models())
  else send(response, 401, dialect.error(401, '', key))
}

function send(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
