import type { IncomingMessage, ServerResponse } from 'node:http'
import { BadBrokerRequestError, BodyTooLargeError, REQUEST_BODY_BYTES } from '#lib/broker'
import { BROKER_ERROR_HEADER, deeperThan, MAX_DEPTH } from '#lib/wire'
import type * as z from 'zod'
import { type Failure, failureOf } from './failure.ts'

/** The whole body of a request. @throws BodyTooLargeError before more than 4 MiB are held */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > REQUEST_BODY_BYTES) throw new BodyTooLargeError('request', REQUEST_BODY_BYTES)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The body of a request as JSON. @throws BadBrokerRequestError, BodyTooLargeError */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request)
  if (deeperThan(body, MAX_DEPTH))
    throw new BadBrokerRequestError(`the body is nested deeper than ${MAX_DEPTH}`)
  try {
    return JSON.parse(body.toString())
  } catch {
    throw new BadBrokerRequestError('the body is not JSON')
  }
}

/** What a body holds, as its schema says. @throws BadBrokerRequestError naming the field */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.infer<S> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  throw new BadBrokerRequestError(
    path.length > 0 ? `"${path.join('.')}": ${message}` : `the body: ${message}`,
  )
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = Buffer.from(JSON.stringify(body))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length }).end(text)
}

/**
 * Answers with an error; once an answer has begun, all that is left is to cut it. What is unread of the request is read
 * away, since a context cannot open another connection; only one that is too long costs its connection.
 */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy()
  const failure = failureOf(error)
  if (failure.type === 'request-too-large') response.setHeader('connection', 'close')
  for (const [name, value] of retryAfter(failure)) response.setHeader(name, value)
  response.setHeader(BROKER_ERROR_HEADER, failure.type)
  sendJson(response, failure.status, errorBody(failure))
}

/** What a context or worker reads of an error. */
export function errorBody({ type, message }: Failure): { error: { type: string; message: string } } {
  return { error: { type, message } }
}

/** The header that says how long the service asks to wait. */
export function retryAfter({ retryAfterMs }: Failure): [string, string][] {
  return retryAfterMs === undefined ? [] : [['retry-after', String(Math.ceil(retryAfterMs / 1000))]]
}
