import { isIP } from 'node:net'
import { discreet, scalar } from './field.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
/** Headers that belong to the connection: a secret in one of them would change what the request is. */
const FRAMING = [
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'te',
  'trailer',
  'expect',
]
const HEADER = /^([!#$%&'*+.^`|~\w-]{1,100}): ([\x20-\x7e]*)$/

const RULE = /^([A-Z]+) (\/[!"$->@-~]{0,500})(?:\?[\w.~-]{1,100}(?:&[\w.~-]{1,100}){0,50})?$/

/** `https://host[:port][/path]`, without query, fragment, credentials or steps upwards; no slash at its end. */
export const baseUrl = () =>
  discreet(
    'an http or https URL without credentials, query, fragment or .. in its path, such as https://api.example.com',
    (value) =>
      typeof value === 'string' && isPlainUrl(value) && isCleanPath(value) ? trimmed(value) : undefined,
  )

/** An http or https URL without credentials. Its path may itself be a secret, so errors never repeat it. */
export const webhookUrl = () =>
  discreet('an http or https URL without user and password', (value) => {
    const url =
      typeof value === 'string' && value.length <= 2000 && !hasSpace(value) ? URL.parse(value) : null
    return url && isHttp(url) && !url.username && !url.password ? url.href : undefined
  })

/** `name: text` with `{value}` once, where the secret goes. Errors never repeat it: it may hold the secret. */
export const header = () =>
  discreet('a header such as "x-api-key: {value}", with {value} once and no line break', (value) => {
    const match = typeof value === 'string' ? HEADER.exec(value) : null
    if (!match || FRAMING.includes(match[1]!.toLowerCase())) return undefined
    return match[2]!.split('{value}').length === 2 ? match[0] : undefined
  })

/** `METHOD /path`, with `*` for any characters, and `?a&b` for the names that a query may hold. */
export const allowed = () =>
  scalar(
    `a method and a path such as "POST /v1/messages" or "GET /v1/search?q&limit", the method one of ${METHODS.join(', ')}`,
    (value) => {
      const match = typeof value === 'string' ? RULE.exec(value) : null
      if (!match || !METHODS.includes(match[1]!)) return undefined
      return isCleanPath(match[2]!) && !match[2]!.includes('//') ? match[0] : undefined
    },
  )

/** An address range such as `10.0.0.0/8` or `::1/128`. */
export const cidr = () =>
  scalar('an address range such as 10.0.0.0/8 (one address: 10.0.0.1/32)', (value) => {
    const [address, bits, ...rest] = typeof value === 'string' ? value.split('/') : []
    const family = address ? isIP(address) : 0
    if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits ?? '')) return undefined
    return Number(bits) <= (family === 4 ? 32 : 128) ? `${address}/${Number(bits)}` : undefined
  })

/** A host name or an address. */
export const host = () =>
  scalar('a host name or an address', (value) => {
    if (typeof value !== 'string' || value.length > 253) return undefined
    return isIP(value) > 0 || /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(value) ? value : undefined
  })

function isPlainUrl(value: string): boolean {
  const url =
    value.length <= 2000 && /^https?:\/\/[^/\\]/.test(value) && !hasSpace(value) ? URL.parse(value) : null
  return url !== null && isHttp(url) && !/[?#@]/.test(value)
}

/** No step upwards in any spelling that a server might undo. */
const isCleanPath = (path: string) => !/(?:^|\/)\.{1,2}(?:\/|$)|\\|%(?:2e|2f|5c|00|25)/i.test(path)
const isHttp = (url: URL) => url.protocol === 'http:' || url.protocol === 'https:'
const hasSpace = (value: string) => /[^\x21-\x7e]/.test(value)
const trimmed = (value: string) => value.replace(/\/+$/, '')
