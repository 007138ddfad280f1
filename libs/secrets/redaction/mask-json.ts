import { SHORTEST_FORM } from './forms.ts'
import type { Masker } from './masker.ts'

/**
 * A JSON value with every text in it masked: strings, keys, and numbers whose digits are a secret's, which become strings.
 * Gives the value itself when there is nothing in it. Recursive: the value's depth must be bounded already.
 */
export function maskJson(value: unknown, masker: Masker): unknown {
  if (typeof value === 'string') return masker.text(value)
  if (typeof value === 'number') return maskNumber(value, masker)
  if (Array.isArray(value)) {
    const items = value.map((item) => maskJson(item, masker))
    return items.some((item, at) => item !== value[at]) ? items : value
  }
  if (typeof value !== 'object' || value === null) return value
  const before = Object.entries(value)
  const after = before.map(([key, item]): [string, unknown] => [masker.text(key), maskJson(item, masker)])
  const isSame = after.every(([key, item], at) => key === before[at]![0] && item === before[at]![1])
  return isSame ? value : Object.fromEntries(after)
}

function maskNumber(value: number, masker: Masker): unknown {
  const digits = String(value)
  if (digits.length < SHORTEST_FORM) return value
  const masked = masker.text(digits)
  return masked === digits ? value : masked
}
