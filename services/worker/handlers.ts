import type { AttemptEvents } from '#lib/context'
import type { Log } from '#lib/runtime'
import { recordSpan } from '#lib/telemetry'
import type { WireSpan } from '#lib/wire'
import type { Attempt } from './attempt.ts'
import type { Caller } from './calls.ts'
import { latest } from './latest.ts'

export type Handlers = AttemptEvents

/** What is done with everything that a running context says. Ids come from the attempt, never from the context. */
export function openHandlers(log: Log, caller: Caller) {
  return (attempt: Attempt): Handlers => {
    const { job, traceparent, signal, over } = attempt
    const lines = log.child({
      requestId: job.id,
      attempt: job.attemptsMade + 1,
      context: attempt.context?.id,
    })
    return {
      log: ({ level, message, fields }) => lines[level]({ agent: fields, text: message }, 'agent log'),
      output: (stream, text) => lines.info({ stream, text }, 'agent output'),
      progress: latest((value) => job.updateProgress(value as object).catch(warn(lines))),
      emit: (value) => void job.log(JSON.stringify(value)).catch(warn(lines)),
      span: (span) => recordClaim(attempt, span),
      call: (agentType, input, spanId) =>
        caller({
          agentType,
          input,
          traceparent: below(traceparent, spanId),
          signal: AbortSignal.any([signal, over.signal]),
          parent: { id: job.id!, job: job.data },
        }),
    }
  }
}

/** The attempt's own trace, at the span that the context claims to call from: a false one misplaces a span there alone. */
const below = (traceparent: string, spanId: string | undefined) =>
  spanId === undefined ? traceparent : `${traceparent.slice(0, 36)}${spanId}${traceparent.slice(52)}`

/** A span that a context reports: in the attempt's trace and time, and never the attempt's own, whatever it says. */
function recordClaim({ traceparent, startedAt }: Attempt, span: WireSpan): void {
  if (span.spanId === traceparent.slice(36, 52)) return
  const within = (ms: number) => Math.min(Math.max(ms, startedAt), Date.now())
  const times = { startMs: within(span.startMs), endMs: within(span.endMs) }
  recordSpan({ ...span, ...times, traceId: traceparent.slice(3, 35) })
}

const warn = (log: Log) => (error: Error) => log.warn({ error: error.message }, 'agent message not kept')
