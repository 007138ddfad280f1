import { EgressRefusedError } from './errors.ts'

/** Where a secret may be carried to: the `egress` of a secret in the cluster file. */
export interface EgressRules {
  /** `http(s)://host[:port][/path]`, without a slash at its end. */
  baseUrl: string
  /** `METHOD /path`, the path as it goes over the wire from the host's root; `*` stands for any characters, `?a&b` declares query names. */
  allow: string[]
  /** Address ranges beside the public internet that the host may have; see `judgedLookup`. */
  networks?: readonly string[]
}

/** A request target that was matched, byte for byte as it will be sent. */
export interface Target {
  origin: string
  /** Path and query. */
  path: string
}

const ADDRESS = /^(https?:\/\/[^/?#@\\]+)([/?][^#]*)?$/
/** Escapes of what divides or steps in a path, of control characters, of overlong UTF-8 (`%c0%ae` is a dot to some), and broken ones. */
const SUSPECT_ESCAPE =
  /%(?:2e|2f|3f|23|3b|5c|25|[01][0-9a-f]|7f|c[01]|e0%[89]|f0%8|f[89a-f]|(?![0-9a-f]{2}))/i
const SUSPECT = /\\|\/\/|;|(?:^|\/)\.{1,2}(?:\/|$)/
const PLAIN = /^\/[\x21-\x7e]*$/

/**
 * Matches a request against a secret's rules on the exact bytes that will be sent, so that no server can read another
 * path out of it than we did: escapes of `.`, `/`, `\`, `?` and `%`, `//`, `;`, dot segments and undeclared query names are refused.
 * @throws EgressRefusedError saying which part
 */
export function matchEgress(rules: EgressRules, method: string, address: string): Target {
  const target = splitAddress(address)
  if (target.origin !== splitAddress(rules.baseUrl).origin)
    throw new EgressRefusedError('the host is not the one of the secret')
  const [path, query] = cut(target.path, '?')
  if (!PLAIN.test(path) || SUSPECT.test(path) || SUSPECT_ESCAPE.test(path))
    throw new EgressRefusedError('the path holds an escape or segment that servers read differently')
  const prefix = splitAddress(rules.baseUrl).path
  if (prefix !== '/' && path !== prefix && !path.startsWith(`${prefix}/`))
    throw new EgressRefusedError('the path is outside of the base-url of the secret')
  const matching = rules.allow.map(parseRule).filter((rule) => rule.method === method && fits(rule, path))
  if (matching.length === 0) throw new EgressRefusedError('no rule of the secret allows this method and path')
  if (!matching.some((rule) => declares(rule, query)))
    throw new EgressRefusedError('the query holds a name that no rule of the secret declares')
  return target
}

/** True when an address lies on the host that the rules are for. */
export function isSameOrigin(rules: EgressRules, address: string): boolean {
  return ADDRESS.exec(address)?.[1] === splitAddress(rules.baseUrl).origin
}

/** Host and port that the rules are for: `host:port`. */
export function hostOf({ baseUrl }: EgressRules): string {
  const { protocol, hostname, port } = new URL(baseUrl)
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
}

interface Rule {
  method: string
  /** The texts between the stars. */
  parts: string[]
  names: Set<string>
}

function parseRule(text: string): Rule {
  const [method, pattern] = cut(text, ' ')
  const [path, query] = cut(pattern ?? '', '?')
  return { method, parts: path.split('*'), names: new Set(namesOf(query ?? '')) }
}

/** Each part at its first place after the one before; an expression with `.*` would try all places, for minutes. */
function fits({ parts: [begin = '', ...rest] }: Rule, path: string): boolean {
  const end = rest.pop()
  if (end === undefined) return path === begin
  if (!path.startsWith(begin)) return false
  let at = begin.length
  for (const part of rest) {
    const found = path.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return path.length - at >= end.length && path.endsWith(end)
}

function declares({ names }: Rule, query: string | undefined): boolean {
  if (query === undefined) return true
  return PLAIN.test(`/${query}`) && !/[;\\]/.test(query) && namesOf(query).every((name) => names.has(name))
}

const namesOf = (query: string) =>
  query.split('&').flatMap((pair) => (pair === '' ? [] : [cut(pair, '=')[0]]))

function splitAddress(address: string): Target {
  const match = ADDRESS.exec(address)
  if (!match) throw new EgressRefusedError('the address is not http(s)://host/path without user and fragment')
  const rest = match[2] ?? '/'
  return { origin: match[1]!, path: rest.startsWith('?') ? `/${rest}` : rest }
}

function cut(text: string, at: string): [string, string | undefined] {
  const index = text.indexOf(at)
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)]
}
