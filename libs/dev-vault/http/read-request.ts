import type { IncomingMessage } from 'node:http'
import type { WireRequest } from '../core.ts'
import { parseVaultDuration } from '../durations.ts'
import type { Operation } from '../engine.ts'
import { badRequest, nothingThere, unsupportedOperation, VaultRefusal } from '../errors.ts'
import { parseBoolean } from '../fields.ts'
import { logicalPath } from '../paths.ts'

const MAX_BODY_BYTES = 32 * 2 ** 20
const MAX_JSON_DEPTH = 100
const MERGE_PATCH = 'application/merge-patch+json'
const OPERATIONS: Record<string, Operation> = {
  GET: 'read',
  HEAD: 'head',
  POST: 'update',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

/** Reads a request off the wire. @throws VaultRefusal with 400, 404, 405, 413 or 415 */
export async function readRequest(message: IncomingMessage, listMarker: string): Promise<WireRequest> {
  const url = message.url ?? ''
  const isList = url.startsWith(listMarker)
  const [encodedPath = '', queryText = ''] = splitOnce(isList ? url.slice(listMarker.length) : url, '?')
  if (!encodedPath.startsWith('/v1/')) throw nothingThere()
  refuseNamespace(message)
  const query = new URLSearchParams(queryText)
  const operation = isList ? 'list' : operationOf(message, query)
  const isWrite = operation === 'update' || operation === 'patch'
  const body = await readBody(message)
  return {
    operation,
    path: logicalPath(encodedPath.slice('/v1/'.length)),
    token: tokenOf(message),
    data: isWrite ? parseBody(body) : queryData(query),
    wrapTtlMs: wrapTtlOf(message),
    remoteAddress: message.socket.remoteAddress ?? '',
    remotePort: message.socket.remotePort ?? 0,
  }
}

function operationOf(message: IncomingMessage, query: URLSearchParams): Operation {
  const method = message.method ?? ''
  const operation = Object.hasOwn(OPERATIONS, method) ? OPERATIONS[method]! : undefined
  if (!operation) throw unsupportedOperation()
  if (operation === 'patch') checkPatchType(message)
  if (operation !== 'read') return operation
  const list = parseBoolean(query.get('list') ?? '')
  if (list === undefined) throw badRequest('failed to parse list query parameter')
  return list ? 'list' : 'read'
}

function checkPatchType(message: IncomingMessage): void {
  const given = message.headers['content-type'] ?? ''
  if (given.split(';')[0]!.trim() === MERGE_PATCH) return
  throw new VaultRefusal(415, `PATCH requires Content-Type of ${MERGE_PATCH}, provided ${given}`)
}

/** There is the root namespace alone: to answer from it for another would mix what callers keep apart. */
function refuseNamespace(message: IncomingMessage): void {
  const header = message.headers['x-vault-namespace'] ?? ''
  const name = String(header).replaceAll(/^\/+|\/+$/g, '')
  if (name !== '' && name !== 'root') throw new VaultRefusal(404, 'namespace not found')
}

function tokenOf(message: IncomingMessage): string {
  const header = message.headers['x-vault-token']
  if (typeof header === 'string' && header !== '') return header
  return /^Bearer (.+)$/.exec(message.headers.authorization ?? '')?.[1] ?? ''
}

function wrapTtlOf(message: IncomingMessage): number | undefined {
  const header = message.headers['x-vault-wrap-ttl']
  if (typeof header !== 'string' || header === '') return undefined
  const ms = parseVaultDuration(header)
  if (ms === undefined) throw badRequest('error parsing X-Vault-Wrap-TTL header: expected a duration')
  if (ms < 0) throw badRequest('error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative')
  return ms === 0 ? undefined : ms
}

async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new VaultRefusal(413, 'http: request body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parseBody(text: string): ReadonlyMap<string, unknown> {
  if (text.trim() === '') return new Map()
  const parsed = parseJson(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw badRequest('failed to parse JSON input: expected an object')
  refuseDepth(parsed)
  return new Map(Object.entries(parsed))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw badRequest('failed to parse JSON input: it is not JSON')
  }
}

/** Deep nesting would end the process's stack where the value is written out again. */
function refuseDepth(root: object): void {
  let level: object[] = [root]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_JSON_DEPTH) throw badRequest('failed to parse JSON input: nested too deeply')
    level = level.flatMap((value) => Object.values(value).filter(isContainer))
  }
}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null

function queryData(query: URLSearchParams): ReadonlyMap<string, unknown> {
  const data = new Map<string, unknown>()
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name)
    if (name !== 'list') data.set(name, values.length === 1 ? values[0] : values)
  }
  return data
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}
