import type { HclBody, HclValue } from './policy-hcl.ts'

/** Reads a policy written as JSON into the same shape as HCL; undefined when the text is no JSON object. */
export function jsonPolicyBody(text: string): HclBody | undefined {
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    const parsed: unknown = JSON.parse(text)
    return isObject(parsed) ? bodyOf(parsed, 0) : undefined
  } catch {
    return undefined
  }
}

function bodyOf(object: object, depth: number): HclBody {
  if (depth > 16) throw new RangeError('nested too deeply')
  return {
    entries: Object.entries(object).map(([key, value]) => ({
      key,
      labels: [],
      value: valueOf(value, depth + 1),
      line: 1,
    })),
  }
}

function valueOf(value: unknown, depth: number): HclValue {
  if (Array.isArray(value)) return value.map((item) => valueOf(item, depth + 1))
  if (isObject(value)) return bodyOf(value, depth)
  return value as HclValue
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
