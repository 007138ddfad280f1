import * as z from 'zod'
import { quote } from '../source/printable.ts'

/** What the table of keys says about one key. */
export interface KeyMeta {
  type: string
  /** As it would be written; absent: nothing holds when the key is missing. */
  default?: string
  meaning: string
  /** For a mapping whose keys the operator chooses: what stands for one of them in a path. */
  entry?: string
}

/** The metadata of every key, from which the table of keys is made. */
export const keyMeta = z.registry<KeyMeta>()

/** A key that may be left out. */
export function optional<S extends z.ZodType>(schema: S, meta: KeyMeta): z.ZodOptional<S> {
  const field = schema.optional()
  keyMeta.add(field, meta)
  return field
}

/** A key that must be there. */
export function required<S extends z.ZodType>(schema: S, meta: KeyMeta): S {
  keyMeta.add(schema, meta)
  return schema
}

/** A value that `read` understands; undefined from `read` is an error that says what was expected. */
export function scalar<T>(expected: string, read: (value: unknown) => T | undefined) {
  return z.unknown().transform((value, context): T => {
    const result = value === undefined || value === null ? undefined : read(value)
    if (result !== undefined) return result
    const message =
      value === undefined ? `is missing; expected ${expected}` : `expected ${expected}, got ${quote(value)}`
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
}

/** As {@link scalar}, for values that an error should not repeat. */
export function discreet<T>(expected: string, read: (value: unknown) => T | undefined) {
  return z.unknown().transform((value, context): T => {
    const result = read(value)
    if (result !== undefined) return result
    context.addIssue({
      code: 'custom',
      message: `${value === undefined ? 'is missing; ' : ''}expected ${expected}`,
    })
    return z.NEVER
  })
}
