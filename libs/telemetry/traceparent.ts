import { randomBytes } from 'node:crypto'
import {
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  trace,
  TraceFlags,
} from '@opentelemetry/api'
import { parseTraceParent } from '@opentelemetry/core'

/** The W3C traceparent of a span: `00-<trace id>-<span id>-<flags>`. */
export function traceparentOf(of: Span | SpanContext): string {
  const { traceId, spanId, traceFlags } = 'spanContext' in of ? of.spanContext() : of
  return `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, '0')}`
}

/**
 * The context whose spans continue `traceparent`, as children of a span elsewhere.
 * Anything that is no W3C traceparent gives the root context: a new trace, never an error.
 */
export function contextOf(traceparent: unknown): Context {
  const remote = spanContextOf(traceparent)
  return remote ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT
}

/** What a traceparent says, or undefined when it is none. */
export function spanContextOf(traceparent: unknown): SpanContext | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > 64) return undefined
  const parsed = parseTraceParent(traceparent)
  return parsed && isSpanContextValid(parsed) ? { ...parsed, isRemote: true } : undefined
}

/** A new span id: 16 hex digits, never all zero. */
export function newSpanId(): string {
  const id = randomBytes(8).toString('hex')
  return /[^0]/.test(id) ? id : newSpanId()
}
