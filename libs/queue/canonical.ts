import { createHash } from 'node:crypto'
import { InvalidJobError } from './errors.ts'

/** How deep JSON may nest: bounds every recursion over what callers send. */
export const MAX_JSON_DEPTH = 64

/**
 * One text for one JSON value: keys sorted by UTF-16 code unit, no white space (in the manner of RFC 8785).
 * A value and its copy through `JSON.parse(JSON.stringify(value))` give the same text.
 * @throws InvalidJobError when it nests deeper than {@link MAX_JSON_DEPTH} or is no JSON
 */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MAX_JSON_DEPTH) throw new InvalidJobError(`nests deeper than ${MAX_JSON_DEPTH} levels`)
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    members.sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member, depth + 1)}`).join(',')}}`
  }
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new InvalidJobError(`holds a ${typeof value}, which is no JSON`)
  return text
}

/** SHA-256 of a value's canonical JSON, in hex. */
export function hashJson(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}
