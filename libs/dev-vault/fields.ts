import { parseVaultDuration } from './durations.ts'
import { badRequest } from './errors.ts'

/**
 * The body (or query) of a request, read field by field with the weak conversions of Vault's framework.
 * A refusal names the field and never the value.
 */
export class Fields {
  readonly all: ReadonlyMap<string, unknown>

  constructor(all: ReadonlyMap<string, unknown>) {
    this.all = all
  }

  /** True when the field was given and is not null. */
  has(name: string): boolean {
    return this.all.get(name) !== undefined && this.all.get(name) !== null
  }

  string(name: string, fallback = ''): string {
    if (!this.has(name)) return fallback
    const value = this.all.get(name)
    if (typeof value === 'string') return value
    return weakString(name, value)
  }

  boolean(name: string, fallback = false): boolean {
    if (!this.has(name)) return fallback
    const value = this.all.get(name)
    if (typeof value === 'boolean') return value
    const isScalar = typeof value === 'string' || typeof value === 'number'
    const parsed = isScalar ? parseBoolean(String(value)) : undefined
    if (parsed === undefined) throw wrongType(name, 'bool')
    return parsed
  }

  integer(name: string, fallback = 0): number {
    if (!this.has(name) || this.all.get(name) === '') return fallback
    const value = this.all.get(name)
    const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN
    if (!Number.isSafeInteger(number)) throw wrongType(name, 'int')
    return number
  }

  /** A duration in milliseconds. */
  durationMs(name: string, fallback = 0): number {
    const ms = this.signedDurationMs(name, fallback)
    if (ms < 0) throw badRequest(`${name} must be positive`)
    return ms
  }

  /** A duration that may be below zero, in milliseconds. */
  signedDurationMs(name: string, fallback = 0): number {
    if (!this.has(name)) return fallback
    const ms = parseVaultDuration(this.all.get(name))
    if (ms === undefined || !Number.isSafeInteger(Math.trunc(ms))) throw wrongType(name, 'duration')
    return ms
  }

  /** A list of strings, or one string cut at commas. */
  list(name: string): string[] {
    if (!this.has(name)) return []
    const value = this.all.get(name)
    if (typeof value === 'string') return cutAtCommas(value)
    if (typeof value === 'number') return [String(value)]
    if (!Array.isArray(value) || !value.every((item) => ['string', 'number'].includes(typeof item)))
      throw wrongType(name, 'slice')
    return value.map(String)
  }

  /** A list of strings, or one string as it is. */
  strings(name: string): string[] {
    const value = this.all.get(name)
    return typeof value === 'string' ? (value === '' ? [] : [value]) : this.list(name)
  }

  /** A JSON object as it came, or undefined when it was not given. */
  object(name: string): Record<string, unknown> | undefined {
    if (!this.has(name)) return undefined
    const value = this.all.get(name)
    if (typeof value !== 'object' || Array.isArray(value)) throw wrongType(name, 'map')
    return value as Record<string, unknown>
  }

  /** Key and value strings: an object, or `a=b,c=d`. */
  stringMap(name: string): Record<string, string> {
    const value = this.all.get(name)
    const pairs: [string, unknown][] =
      typeof value === 'string'
        ? cutAtCommas(value).map((pair) => cutAtEquals(name, pair))
        : Object.entries(this.object(name) ?? {})
    return Object.fromEntries(pairs.map(([key, item]) => [key, weakString(name, item)]))
  }
}

/** Go's weak decoding: numbers as they are, booleans as 1 and 0, null as nothing. */
function weakString(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (value === null) return ''
  throw wrongType(name, 'string')
}

/** What Go's ParseBool reads; undefined when it is none. */
export function parseBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False', ''].includes(text)) return false
  return undefined
}

function cutAtCommas(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
}

function cutAtEquals(name: string, pair: string): [string, string] {
  const at = pair.indexOf('=')
  if (at < 1) throw wrongType(name, 'map')
  return [pair.slice(0, at), pair.slice(at + 1)]
}

function wrongType(name: string, type: string) {
  return badRequest(`Field validation failed: error converting input for field "${name}": expected ${type}`)
}
