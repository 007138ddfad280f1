import {
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import { attribute } from './attributes.ts'

/** Attribute values a span of ours may carry. */
export type SpanAttributes = Record<string, string | number | boolean | string[]>

/** How a span begins. */
export interface SpanSettings {
  /** Default: INTERNAL. */
  kind?: SpanKind
  attributes?: SpanAttributes
  /** Default: the active context. `contextOf(traceparent)` continues a trace from elsewhere. */
  parent?: Context
}

/** The tracer of this package. Before {@link openTelemetry} its spans record nothing. */
export function tracer(): Tracer {
  return trace.getTracer('threadbound')
}

/**
 * Runs `work` inside an active span and ends the span with it.
 * What it throws becomes status ERROR with the class as `error.type`, never the message (it may quote a value), and passes on.
 */
export async function inSpan<T>(
  name: string,
  settings: SpanSettings,
  work: (span: Span) => Promise<T> | T,
): Promise<T> {
  const { kind = SpanKind.INTERNAL, attributes = {}, parent = context.active() } = settings
  const span = tracer().startSpan(name, { kind, attributes }, parent)
  try {
    return await context.with(trace.setSpan(parent, span), () => work(span))
  } catch (error) {
    failSpan(span, classOf(error))
    throw error
  } finally {
    span.end()
  }
}

/** Marks a span as failed. A type that its owner has set stays. */
export function failSpan(span: Span, type: string): void {
  const recorded = (span as { attributes?: Record<string, unknown> }).attributes
  if (!recorded?.[attribute.errorType]) span.setAttribute(attribute.errorType, type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

/** The class of an error where it looks like one of code; `_OTHER`, OpenTelemetry's word, for anything else. */
export function classOf(error: unknown): string {
  const name = error instanceof Error ? error.name : ''
  return /^[A-Z][A-Za-z]{1,60}$/.test(name) ? name : '_OTHER'
}
