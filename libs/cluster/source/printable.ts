import { hideKeyMaterial } from './key-material.ts'

/** Control, direction and line characters that could forge lines or colours in a terminal. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** Text from a file as an error may show it: no key material, no control characters, at most `limit` characters. */
export function printable(text: string, limit = 60): string {
  const safe = hideKeyMaterial(text.slice(0, 10_000)).replaceAll(UNSAFE, escape)
  return safe.length > limit ? `${safe.slice(0, limit)}…` : safe
}

/** A value from a file as an error may quote it. */
export function quote(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'string') return `"${printable(value)}"`
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  return `${value as number | boolean | bigint}`
}

/** Keys as one path; indices of a list are left out, since the line says which entry is meant. */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .filter((key) => typeof key !== 'number')
    .map((key) => printable(String(key), 50))
    .join('.')
}

const escape = (char: string) => `\\u{${char.codePointAt(0)!.toString(16)}}`
