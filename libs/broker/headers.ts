import { BROKER_ERROR_HEADER } from '#lib/wire'
import { EgressRefusedError, UnusableSecretError } from './errors.ts'

/**
 * Request headers that may pass: content and negotiation. What steers, names or authorises is not among them, nor is
 * `range`: a service that sends the key back would send it in pieces, in none of which it is found.
 */
const PASSED = new Set([
  'accept',
  'accept-language',
  'anthropic-beta',
  'anthropic-version',
  'content-language',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
  'openai-beta',
  'user-agent',
])

/** Response headers that stay behind: those of the connection, those that the broker changes, and cookies. */
const KEPT_BACK = new Set([
  'alt-svc',
  'connection',
  'content-encoding',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  BROKER_ERROR_HEADER,
])

/** Encodings that leave the bytes as they are: a chunked body has been joined by now. */
const PLAIN = /^\s*(?:identity|chunked)?\s*$/i

/** The headers of a request that may leave; all others are dropped, so that none can change what the rules matched. */
export function requestHeaders(headers: Iterable<[string, string]>): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of headers) if (PASSED.has(name.toLowerCase())) passed[name.toLowerCase()] = value
  return { ...passed, 'accept-encoding': 'identity' }
}

/** The header that carries the secret, from `name: text {value}`. @throws UnusableSecretError */
export function keyHeader(template: string, value: string): [string, string] {
  if (!/^[\x21-\x7e]+$/.test(value)) throw new UnusableSecretError()
  const [name, text] = [template.slice(0, template.indexOf(':')), template.slice(template.indexOf(':') + 1)]
  return [name.trim().toLowerCase(), text.trim().replace('{value}', () => value)]
}

/**
 * The headers of a response that may enter a context, masked.
 * @throws EgressRefusedError when the body is encoded, since nothing could be searched in it
 */
export function responseHeaders(
  headers: Record<string, string | string[] | undefined>,
  mask: (text: string) => string,
): Record<string, string> {
  const encodings = [headers['content-encoding'] ?? '', headers['transfer-encoding'] ?? ''].flat()
  if (encodings.some((encoding) => !PLAIN.test(encoding)))
    throw new EgressRefusedError('the service answered in an encoding that was not asked for')
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !KEPT_BACK.has(name)) passed[mask(name)] = mask([value].flat().join(', '))
  return passed
}
