import * as z from 'zod'
import type { AttributeValue } from './stored-span.ts'

const MAX_DEPTH = 8
const MAX_ITEMS = 128
const MAX_TEXT = 4096

/** A list of OTLP key-values as it stands in JSON. The values are read by {@link attributesOf}. */
export const KeyValues = z.array(z.looseObject({ key: z.string(), value: z.unknown().optional() }))
type KeyValues = z.infer<typeof KeyValues>

/** An integer of protobuf's JSON mapping: a number or its digits. */
export const Int = z.union([z.number(), z.string().regex(/^-?\d{1,20}$/, 'expected an integer')])

/** Plain values of OTLP key-values. Past 128 keys, 4096 characters or 8 levels the rest is cut off. */
export function attributesOf(list: KeyValues | undefined, depth = 0): Record<string, AttributeValue> {
  const kept = (list ?? []).slice(0, MAX_ITEMS)
  return Object.fromEntries(kept.map(({ key, value }) => [clip(key, 256), plain(value, depth)]))
}

/** A value as text: itself, or its JSON. */
export function attributeText(value: AttributeValue | undefined): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** Cuts a text that came from outside. */
export function clip(text: string, limit = MAX_TEXT): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text
}

/** All kinds of AnyValue of opentelemetry-proto common.proto 1.x; an unknown or empty one is null. */
function plain(any: unknown, depth: number): AttributeValue {
  if (depth > MAX_DEPTH || typeof any !== 'object' || any === null) return null
  const value = any as Record<string, unknown>
  if (typeof value['stringValue'] === 'string') return clip(value['stringValue'])
  if (typeof value['boolValue'] === 'boolean') return value['boolValue']
  if ('intValue' in value) return integer(value['intValue'])
  if ('doubleValue' in value) return double(value['doubleValue'])
  if (typeof value['bytesValue'] === 'string') return clip(value['bytesValue'])
  return compound(value, depth)
}

function compound(value: Record<string, unknown>, depth: number): AttributeValue {
  const array = (value['arrayValue'] as { values?: unknown } | null | undefined)?.values
  if (Array.isArray(array)) return array.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1))
  const pairs = KeyValues.safeParse((value['kvlistValue'] as { values?: unknown } | null | undefined)?.values)
  return pairs.success ? attributesOf(pairs.data, depth + 1) : null
}

function integer(value: unknown): AttributeValue {
  const parsed = Int.safeParse(value)
  if (!parsed.success) return null
  const number = Number(parsed.data)
  return Number.isSafeInteger(number) ? number : String(parsed.data)
}

function double(value: unknown): AttributeValue {
  const number = typeof value === 'number' ? value : Number.NaN
  return Number.isFinite(number) ? number : clip(String(value), 32)
}
