import {
  type Context,
  context,
  createContextKey,
  ROOT_CONTEXT,
  type Span as OtelSpan,
  SpanKind,
  trace,
} from '@opentelemetry/api'
import type { Attributes, Exception, Span, Telemetry } from 'bullmq'
import { attribute } from './attributes.ts'
import { classOf, failSpan, tracer } from './span.ts'
import { contextOf, spanContextOf, traceparentOf } from './traceparent.ts'

const METADATA_LIMIT = 4096
/** The trace context that a job was created in, while the job is processed. */
const CREATION = createContextKey('threadbound: creation of the job')
/** BullMQ's names of the operations that are worth a span, and ours. Everything else is housekeeping. */
const OPERATIONS = {
  add: { operation: 'send', kind: SpanKind.PRODUCER },
  addBulk: { operation: 'send', kind: SpanKind.PRODUCER },
  process: { operation: 'process', kind: SpanKind.CONSUMER },
} as const

/**
 * Our telemetry for BullMQ's queues and workers: spans `send <queue>` and `process <queue>`, nothing for housekeeping.
 * Of BullMQ's attributes only ids and counts pass: results, messages, options and job data never enter a span.
 * Every attempt is a child of the same `send` span and links to it, because a retry keeps the job's first trace context.
 * In place of bullmq-otel 2.0.1, which leaves failed attempts without a status and writes results into events.
 */
export function bullTelemetry(): Telemetry<Context> {
  return {
    tracer: { startSpan: (name, _options, parent) => startSpan(name, parent) },
    contextManager: {
      with: (within: Context, work) => context.with(within, work),
      active: () => context.active(),
      root: () => ROOT_CONTEXT,
      getMetadata: (of: Context) => metadataOf(of),
      fromMetadata: (_active: Context, metadata: string) => fromMetadata(metadata),
    },
  }
}

/**
 * The W3C traceparent in a job's `opts.telemetry.metadata`: bare, as we write it, or in the JSON carrier of bullmq-otel.
 * Undefined when there is none. The metadata of an unsigned job is the caller's word.
 */
export function traceparentOfMetadata(metadata: unknown): string | undefined {
  if (typeof metadata !== 'string' || metadata.length > METADATA_LIMIT) return undefined
  const candidate = metadata.startsWith('{') ? fieldOf(metadata) : metadata
  const remote = spanContextOf(candidate)
  return remote && traceparentOf(remote)
}

function fieldOf(carrier: string): unknown {
  try {
    return (JSON.parse(carrier) as { traceparent?: unknown }).traceparent
  } catch {
    return undefined
  }
}

function fromMetadata(metadata: string): Context {
  const traceparent = traceparentOfMetadata(metadata)
  return traceparent ? contextOf(traceparent).setValue(CREATION, traceparent) : ROOT_CONTEXT
}

/** While a job is processed: the job's own. BullMQ 6.7 stores it on a failure and does not read it back yet; when it does, attempts must not nest. */
function metadataOf(of: Context): string {
  const creation = of.getValue(CREATION)
  if (typeof creation === 'string') return creation
  const span = trace.getSpanContext(of)
  return span ? traceparentOf(span) : ''
}

function startSpan(name: string, parent: Context | undefined): Span<Context> {
  const [, verb = '', queue = ''] = /^(\w+) ([^.]+)/.exec(name) ?? []
  if (!Object.hasOwn(OPERATIONS, verb)) return housekeeping
  const { operation, kind } = OPERATIONS[verb as keyof typeof OPERATIONS]
  const within = parent ?? (operation === 'process' ? ROOT_CONTEXT : context.active())
  const creation = operation === 'process' ? trace.getSpanContext(within) : undefined
  const span = tracer().startSpan(
    `${operation} ${queue}`,
    {
      kind,
      links: creation ? [{ context: creation }] : [],
      attributes: {
        [attribute.messagingSystem]: 'bullmq',
        [attribute.messagingOperation]: operation,
        [attribute.messagingOperationType]: operation,
        [attribute.messagingDestination]: queue,
      },
    },
    within,
  )
  return bullSpan(span, operation === 'send')
}

/** BullMQ's view of a span. Inside `send`, metadata is that span's own; inside `process` it stays the job's. */
function bullSpan(span: OtelSpan, isSend: boolean): Span<Context> {
  return {
    setSpanOnContext: (on) => trace.setSpan(isSend ? on.deleteValue(CREATION) : on, span),
    setAttribute: (name, value) => span.setAttributes(harmless({ [name]: value })),
    setAttributes: (attributes) => span.setAttributes(harmless(attributes)),
    addEvent: (name) => name === 'job failed' && failSpan(span, '_OTHER'),
    recordException: (exception) => failSpan(span, exceptionClass(exception)),
    end: () => span.end(),
  }
}

const housekeeping: Span<Context> = {
  setSpanOnContext: (on) => on,
  setAttribute: () => {},
  setAttributes: () => {},
  addEvent: () => {},
  recordException: () => {},
  end: () => {},
}

function harmless(attributes: Attributes): Record<string, string | number> {
  const id = attributes['bullmq.job.id']
  const count = Number(attributes['bullmq.job.bulk.count'])
  return {
    ...(typeof id === 'string' && { [attribute.messagingMessageId]: id, [attribute.requestId]: id }),
    ...(Number.isFinite(count) && { [attribute.messagingBatchCount]: count }),
  }
}

const exceptionClass = (exception: Exception) => classOf(exception)
