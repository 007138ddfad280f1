import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

interface Key {
  id: string
  value: string
  name: string
  status: string
}
type Reply = [status: number, body: object]

const ADMIN_PATH = '/v1/organizations/api_keys'
const fault = (status: number, type: string, message: string): Reply => [
  status,
  { type: 'error', error: { type, message } },
]
const NOT_FOUND = fault(404, 'not_found_error', 'Not found')
const REFUSED = (key: string) => fault(401, 'authentication_error', `invalid x-api-key ${key}`)

/** What of Anthropic's API a rotation uses, as its documentation has it: keys are listed and changed, and never made. */
export class AnthropicApi implements AsyncDisposable {
  readonly keys: Key[] = []
  readonly adminKey: string
  /** What the next requests of a method meet: a status, or no answer before or after their effect. */
  readonly faults: { method: string; fault: number | 'hang' | 'hang-after' }[] = []
  readonly #server = createServer((request, response) => {
    void this.#answer(request).then((reply) => {
      if (reply) response.writeHead(reply[0]).end(JSON.stringify(reply[1]))
    })
  })

  private constructor(adminKey: string) {
    this.adminKey = adminKey
  }

  static async open(adminKey: string): Promise<AnthropicApi> {
    const api = new AnthropicApi(adminKey)
    await once(api.#server.listen(0, '127.0.0.1'), 'listening')
    return api
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** What an operator does in the console. */
  add(value: string): Key {
    const key = {
      id: `apikey_01${String(this.keys.length).padStart(4, '0')}`,
      value,
      name: 'x',
      status: 'active',
    }
    this.keys.push(key)
    return key
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage): Promise<Reply | undefined> {
    const at = this.faults.findIndex(({ method }) => method === request.method)
    const met = at < 0 ? undefined : this.faults.splice(at, 1)[0]!.fault
    if (met === 'hang') return undefined
    if (typeof met === 'number') return fault(met, 'api_error', 'asked for by a test')
    const reply = await this.#reply(request)
    return met === 'hang-after' ? undefined : reply
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    const { pathname, searchParams } = new URL(request.url!, 'http://fake')
    const given = String(request.headers['x-api-key'])
    if (!request.headers['anthropic-version'])
      return fault(400, 'invalid_request_error', 'anthropic-version: header is required')
    if (pathname === '/v1/models') {
      const isKnown = this.keys.some(({ value, status }) => value === given && status === 'active')
      return isKnown ? [200, { data: [], has_more: false }] : REFUSED(given)
    }
    if (given !== this.adminKey) return REFUSED(given)
    if (pathname === ADMIN_PATH && request.method === 'GET') return this.#list(searchParams)
    const key = this.keys.find(({ id }) => pathname === `${ADMIN_PATH}/${id}`)
    if (!key) return NOT_FOUND
    if (request.method === 'POST') {
      if (key.status === 'archived') return fault(400, 'invalid_request_error', 'the key is archived')
      Object.assign(key, await json(request))
    }
    return [200, viewOf(key)]
  }

  #list(query: URLSearchParams): Reply {
    const limit = Number(query.get('limit') ?? 20)
    const from = this.keys.findIndex(({ id }) => id === query.get('after_id')) + 1
    const data = this.keys.slice(from, from + limit).map(viewOf)
    const has_more = from + limit < this.keys.length
    return [200, { data, has_more, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }]
  }
}

const viewOf = ({ value, ...key }: Key) => ({
  ...key,
  type: 'api_key',
  partial_key_hint: `${value.slice(0, 16)}...${value.slice(-4)}`,
  created_at: '2026-11-01T00:00:00Z',
  created_by: { id: 'user_01', type: 'user' },
  workspace_id: null,
})
