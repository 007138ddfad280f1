import { type Link, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import { hrTimeDuration, millisToHrTime } from '@opentelemetry/core'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace'
import { attribute } from './attributes.ts'
import { spanContextOf } from './traceparent.ts'

const TEXT_LIMIT = 1024
const ATTRIBUTE_LIMIT = 64
/** Our own names: what stands under them is measured. */
const RESERVED = 'threadbound.'

/** A span that a context reports. Times: milliseconds since the epoch, with fractions. */
export interface FinishedSpan {
  name: string
  /** Default: INTERNAL. */
  kind?: SpanKind
  traceId: string
  spanId: string
  parentSpanId?: string
  startMs: number
  endMs: number
  attributes: Record<string, string | number | boolean>
  /** Traceparents. */
  links?: string[]
  /** What went wrong, for people; makes the status ERROR. The caller has redacted it. */
  error?: string
}

interface Sink {
  processor: SpanProcessor
  resource: Resource
}
let sink: Sink | undefined

/** Where finished spans go; undefined drops them. For open.ts alone. */
export function setSink(to: Sink | undefined): void {
  sink = to
}

/**
 * Puts a context's finished span through this process's span processor, marked as a claim whatever else it says: the mark
 * is what keeps it from standing in for a span of ours. Attributes under our own names are left out.
 * One with ids or times that no span can have is dropped; texts over 1024 characters and attributes past the 63rd are cut.
 */
export function recordSpan(span: FinishedSpan): void {
  if (!sink) return
  const readable = readableSpan(span, sink.resource)
  if (readable) sink.processor.onEnd(readable)
}

function readableSpan(span: FinishedSpan, resource: Resource): ReadableSpan | undefined {
  const own = idsOf(span.traceId, span.spanId)
  if (!own || !isTime(span.startMs) || !isTime(span.endMs)) return undefined
  const parent = span.parentSpanId ? idsOf(span.traceId, span.parentSpanId) : undefined
  if (span.parentSpanId && !parent) return undefined // else it would be a root
  const startTime = millisToHrTime(span.startMs)
  const endTime = millisToHrTime(Math.max(span.startMs, span.endMs))
  return {
    name: clip(span.name),
    kind: span.kind ?? SpanKind.INTERNAL,
    spanContext: () => own,
    ...(parent && { parentSpanContext: parent }),
    startTime,
    endTime,
    duration: hrTimeDuration(startTime, endTime),
    status:
      span.error === undefined
        ? { code: SpanStatusCode.UNSET }
        : { code: SpanStatusCode.ERROR, message: clip(span.error) },
    attributes: clipAttributes(span.attributes),
    links: (span.links ?? []).flatMap(linkTo),
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: 'threadbound' },
    droppedAttributesCount: Math.max(0, Object.keys(span.attributes).length + 1 - ATTRIBUTE_LIMIT),
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

function idsOf(traceId: string, spanId: string) {
  const ids = spanContextOf(`00-${traceId}-${spanId}-01`)
  return ids && { traceId, spanId, traceFlags: TraceFlags.SAMPLED }
}

function linkTo(traceparent: string): Link[] {
  const context = spanContextOf(traceparent)
  return context ? [{ context }] : []
}

function clipAttributes(attributes: FinishedSpan['attributes']): FinishedSpan['attributes'] {
  const kept = Object.entries(attributes)
    .filter(([name]) => !name.startsWith(RESERVED))
    .slice(0, ATTRIBUTE_LIMIT - 1)
    .map(([name, value]) => [clip(name), typeof value === 'string' ? clip(value) : value] as const)
  return { ...Object.fromEntries(kept), [attribute.claim]: true }
}

const clip = (text: string) => text.slice(0, TEXT_LIMIT)
/** Up to the year 2286: past it the nanoseconds of OTLP overflow 64 bits. */
const isTime = (ms: number) => Number.isFinite(ms) && ms >= 0 && ms < 1e13
