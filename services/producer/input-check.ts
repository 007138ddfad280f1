import { createHash } from 'node:crypto'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { runBounded, TooSlowError } from './bounded.ts'

/** What is wrong with an input: the place as the caller wrote it (`input.rows[2].id`) and why. */
export interface InputFault {
  field: string
  why: string
}
/** Judges an input; undefined: it fits. */
export type InputCheck = (input: unknown) => InputFault | undefined

/** What may be taken at most, milliseconds. */
export interface CheckLimits {
  /** Checking one input. */
  checkMs: number
  /** Compiling one schema: 16,000 alternatives, as 256 KiB can hold, took 7 s. */
  compileMs: number
}
const LIMITS: CheckLimits = { checkMs: 250, compileMs: 1000 }
/** Keywords whose cost is not bounded by the size of the input alone. */
const UNBOUNDED = new Set(['pattern', 'patternProperties', 'uniqueItems', 'contains', '$ref', '$dynamicRef'])

/** Of a schema this long, characters, any keyword can cost more than its input is long. */
const LARGE = 4096
/** A busy machine may have been the reason. */
const FAILURE_KEPT_MS = 60_000

/** What became of a schema: failures too, or each request would pay for the same one. */
const compiled = new Map<string, InputCheck | Error>()
const KEPT = 200

/**
 * The check for a JSON Schema (2020-12, as zod emits it), compiled once per content, within `limits` (default: 1 s, 250 ms a check). Large schemas, and
 * those with regular expressions, `uniqueItems` or references, run under a time limit, because a crafted input could make
 * them take for ever.
 * @throws Error when the schema cannot be compiled; for a minute without trying again
 */
export function inputCheck(schema: Record<string, unknown> | null, limits = LIMITS): InputCheck {
  if (schema === null) return () => undefined
  const text = JSON.stringify(schema)
  const hash = createHash('sha256').update(text).digest('hex')
  const known = compiled.get(hash) ?? remember(hash, tryCompile(schema, text.length, limits))
  if (known instanceof Error) throw known
  return known
}

function remember(hash: string, found: InputCheck | Error): InputCheck | Error {
  if (compiled.size >= KEPT) compiled.delete(compiled.keys().next().value!)
  compiled.set(hash, found)
  if (found instanceof Error) setTimeout(() => compiled.delete(hash), FAILURE_KEPT_MS).unref()
  return found
}

function tryCompile(
  schema: Record<string, unknown>,
  length: number,
  limits: CheckLimits,
): InputCheck | Error {
  try {
    return runBounded(() => compile(schema, length, limits.checkMs), limits.compileMs)
  } catch (cause) {
    return new Error('the schema cannot be compiled', { cause })
  }
}

function compile(schema: Record<string, unknown>, length: number, checkMs: number): InputCheck {
  const ajv = new Ajv2020({ strict: false, allErrors: false, validateFormats: false })
  const { $id: _, ...anonymous } = schema
  const validate: ValidateFunction = ajv.compile(anonymous)
  const judge = (input: unknown) => (validate(input) ? undefined : faultOf(validate.errors?.[0]))
  if (length <= LARGE && !mentions(schema, UNBOUNDED)) return judge
  return (input) => {
    try {
      return runBounded(() => judge(input), checkMs)
    } catch (error) {
      if (!(error instanceof TooSlowError)) throw error
      return { field: 'input', why: `checking it against the agent's schema took longer than ${checkMs} ms` }
    }
  }
}

function mentions(schema: unknown, keywords: Set<string>): boolean {
  if (typeof schema !== 'object' || schema === null) return false
  return Object.entries(schema).some(([key, value]) => keywords.has(key) || mentions(value, keywords))
}

function faultOf(error: ErrorObject | undefined): InputFault {
  const at = `input${(error?.instancePath ?? '').split('/').slice(1).map(step).join('')}`
  const params = (error?.params ?? {}) as { missingProperty?: string; additionalProperty?: string }
  if (params.missingProperty !== undefined)
    return { field: `${at}${step(params.missingProperty)}`, why: 'is required' }
  if (params.additionalProperty !== undefined)
    return { field: `${at}${step(params.additionalProperty)}`, why: 'is not a known key' }
  return { field: at, why: (error?.message ?? 'does not fit the schema').slice(0, 300) }
}

/** One step of a JSON pointer as code would write it; what callers named is cut and escaped. */
function step(pointer: string): string {
  const key = pointer.replaceAll('~1', '/').replaceAll('~0', '~').slice(0, 100)
  if (/^\d+$/.test(key)) return `[${key}]`
  return /^[A-Za-z_$][\w$-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}
