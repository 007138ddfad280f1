/**
 * Spans and trace context of every process.
 *
 * 1. One trace per request (I10): trace context travels as a W3C traceparent; an invalid one starts a new trace.
 * 2. Silent (I7): no result, no message of a failed job and no job data ever enters a span.
 * 3. A finished span of a context goes through the same processor as ours; it is always marked as a claim.
 * 4. Losing the receiver costs spans, never work: nothing here throws or waits because of it.
 */
export { attribute } from './attributes.ts'
export { bullTelemetry, traceparentOfMetadata } from './bull.ts'
export { openTelemetry, type TelemetryOptions } from './open.ts'
export { type FinishedSpan, recordSpan } from './record.ts'
export { inSpan, type SpanAttributes, type SpanSettings, tracer } from './span.ts'
export { contextOf, newSpanId, traceparentOf } from './traceparent.ts'
