import * as z from 'zod'
import { PermanentError } from '#lib/runtime'
import { attributesOf, attributeText, clip, Int, KeyValues } from './any-value.ts'
import type { StoredSpan } from './stored-span.ts'

const MAX_NAME = 256
const MAX_LIST = 32
const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const
const STATUSES = ['unset', 'ok', 'error'] as const

/** What was posted is no OTLP trace export. The message names the first field that is wrong, never its value. */
export class OtlpError extends PermanentError {
  override readonly name = 'OtlpError'
  constructor(field: string, expected: string) {
    super(`not an OTLP trace export: ${field || 'body'}: ${expected}`)
  }
}

/** Ids are hex in OTLP/JSON; base64, protobuf's own JSON mapping of bytes, is tolerated. */
const id = (bytes: number) =>
  z.string().transform((text, context) => {
    const hex = text.length === bytes * 2 ? text.toLowerCase() : Buffer.from(text, 'base64').toString('hex')
    if (new RegExp(`^(?!0+$)[0-9a-f]{${bytes * 2}}$`).test(hex)) return hex
    context.addIssue({ code: 'custom', message: `expected ${bytes * 2} hex digits, not all zero` })
    return z.NEVER
  })
const absentId = z.union([z.literal(''), z.literal('0000000000000000')]).transform(() => undefined)

const timeMs = Int.transform((nanos, context) => {
  const ms = typeof nanos === 'number' ? nanos / 1e6 : Number(BigInt(nanos) / 1000n) / 1000
  if (ms >= 0 && ms < 1e13) return ms
  context.addIssue({ code: 'custom', message: 'expected nanoseconds since the epoch, before the year 2286' })
  return z.NEVER
})

const Span = z.looseObject({
  traceId: id(16),
  spanId: id(8),
  parentSpanId: z.union([absentId, id(8)]).nullish(),
  name: z.string().default(''),
  kind: z.unknown().optional(),
  startTimeUnixNano: timeMs,
  endTimeUnixNano: timeMs,
  attributes: KeyValues.nullish(),
  status: z.looseObject({ code: z.unknown().optional(), message: z.string().nullish() }).nullish(),
  links: z.array(z.looseObject({ traceId: id(16), spanId: id(8) })).nullish(),
  events: z
    .array(
      z.looseObject({
        name: z.string().default(''),
        timeUnixNano: timeMs,
        attributes: KeyValues.nullish(),
      }),
    )
    .nullish(),
})
const Export = z.looseObject({
  resourceSpans: z
    .array(
      z.looseObject({
        resource: z.looseObject({ attributes: KeyValues.nullish() }).nullish(),
        scopeSpans: z.array(z.looseObject({ spans: z.array(Span).nullish() })).nullish(),
      }),
    )
    .default([]),
})

/**
 * The spans of an OTLP/JSON trace export (opentelemetry-proto 1.x). Unknown fields are left out, over-long ones cut.
 * @throws OtlpError naming the field
 */
export function parseOtlp(body: unknown): StoredSpan[] {
  const parsed = Export.safeParse(body)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new OtlpError(issue!.path.join('.'), issue!.message)
  }
  return parsed.data.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = serviceOf(resource?.attributes ?? [])
    const spans = (scopeSpans ?? []).flatMap((scope) => scope.spans ?? [])
    return spans.map((span) => toStored(span, service))
  })
}

function serviceOf(resource: z.infer<typeof KeyValues>): string {
  return clip(attributeText(attributesOf(resource)['service.name'] ?? 'unknown'), MAX_NAME)
}

function toStored(span: z.infer<typeof Span>, service: string): StoredSpan {
  const { traceId, spanId, parentSpanId, status } = span
  return {
    traceId,
    spanId,
    ...(parentSpanId && { parentSpanId }),
    name: clip(span.name, MAX_NAME),
    kind: pick(KINDS, span.kind, 'SPAN_KIND_'),
    service,
    startMs: span.startTimeUnixNano,
    endMs: Math.max(span.startTimeUnixNano, span.endTimeUnixNano),
    status: pick(STATUSES, status?.code, 'STATUS_CODE_'),
    ...(status?.message && { statusMessage: clip(status.message, 1024) }),
    attributes: attributesOf(span.attributes ?? []),
    links: (span.links ?? []).slice(0, MAX_LIST).map(({ traceId, spanId }) => ({ traceId, spanId })),
    events: (span.events ?? []).slice(0, MAX_LIST).map((event) => ({
      name: clip(event.name, MAX_NAME),
      atMs: event.timeUnixNano,
      attributes: attributesOf(event.attributes ?? []),
    })),
  }
}

/** An enum of protobuf's JSON mapping: its number or its name. Anything else is the first value. */
function pick<T extends string>(values: readonly T[], code: unknown, prefix: string): T {
  const byName = typeof code === 'string' ? code.replace(prefix, '').toLowerCase() : ''
  return values.find((value) => value === byName) ?? values[Number(code)] ?? values[0]!
}
