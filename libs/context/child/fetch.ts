import { type Broker, type BrokerRequest, readText } from './broker.ts'
import { BROKER_ERROR_HEADER } from '#lib/wire'
import { BrokerResponse } from './response.ts'

/**
 * `ctx.fetch`: a request to a host with an egress rule, through the broker. A streamed body holds a connection until it
 * is read; when all three that can be held are taken, the body is read whole on the connection of small requests.
 * @throws BrokerError when the broker itself refuses; what the service answers is a Response, whatever its status
 */
export async function brokeredFetch(
  broker: Broker,
  url: string | URL,
  init: RequestInit = {},
): Promise<Response> {
  const address = String(url)
  const method = (init.method ?? 'GET').toUpperCase()
  const { body, type } = await bodyOf(init.body)
  const headers = {
    ...(type ? { 'content-type': type } : {}),
    ...headersOf(init.headers),
    'x-tb-url': address,
  }
  const request: BrokerRequest = { method, path: '/v1/fetch', headers, signal: init.signal ?? undefined }
  if (body !== undefined) request.body = body
  const whole = !broker.connections.hasRoom
  const { response } = await broker.request(request, whole ? 'small' : 'held')
  if (response.headers[BROKER_ERROR_HEADER])
    throw broker.errorOf(response.statusCode!, await readText(response))
  const text = whole ? Buffer.from(await readText(response)) : undefined
  return new BrokerResponse(response, address, text) as unknown as Response
}

/** Headers, pairs or a record, as a record. */
function headersOf(headers: RequestInit['headers']): Record<string, string> {
  if (!headers) return {}
  const pairs =
    Symbol.iterator in headers ? [...(headers as Iterable<[string, string]>)] : Object.entries(headers)
  return Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), String(value)]))
}

async function bodyOf(body: RequestInit['body']): Promise<{ body?: BrokerRequest['body']; type?: string }> {
  if (body === undefined || body === null) return {}
  if (typeof body === 'string') return { body, type: 'text/plain;charset=UTF-8' }
  if (body instanceof URLSearchParams)
    return { body: body.toString(), type: 'application/x-www-form-urlencoded;charset=UTF-8' }
  if (body instanceof ArrayBuffer) return { body: new Uint8Array(body) }
  if (ArrayBuffer.isView(body)) return { body: new Uint8Array(body.buffer, body.byteOffset, body.byteLength) }
  if (Symbol.asyncIterator in body) return { body: body as AsyncIterable<Uint8Array> }
  // Forms and blobs are rare: Node's own class serializes them, and costs 25 ms to load.
  const made = new Response(body)
  const type = made.headers.get('content-type')
  return { body: new Uint8Array(await made.arrayBuffer()), ...(type ? { type } : {}) }
}
