import { trace } from '@opentelemetry/api'
import { pino, type Logger } from 'pino'

/** Where a service writes its lines: pino's logger. */
export type Log = Logger

/**
 * The log of a service: JSON lines on stdout, the message a constant and the facts as fields.
 * Lines written inside a span carry its `trace_id` and `span_id`.
 */
export function createLog(service: string, level = process.env['TB_LOG_LEVEL'] ?? 'info'): Log {
  return pino({ level, base: { service, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime, mixin })
}

/** A log that writes nothing, for tests. */
export const silentLog: Log = pino({ level: 'silent' })

function mixin(): object {
  const span = trace.getActiveSpan()?.spanContext()
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {}
}
