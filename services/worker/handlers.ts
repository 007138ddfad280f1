import type { AttemptEvents } from '#lib/context'
import type { Log } from '#lib/runtime'
import { recordSpan } from '#lib/telemetry'
import type { WireSpan } from '#lib/wire'
import type { Attempt } from './attempt.ts'
import type { Caller } from './calls.ts'
import { latest } from './latest.ts'
import type { Outgoing } from './outgoing.ts'

export type Handlers = AttemptEvents

/** What is done with everything that a running context says. Ids come from the attempt, never from the context. */
export function openHandlers(log: Log, caller: Caller) {
  return (attempt: Attempt, outgoing: Outgoing): Handlers => {
    const { job, traceparent, signal, over } = attempt
    const lines = log.child({
      requestId: job.id,
      attempt: job.attemptsMade + 1,
      context: attempt.context?.id,
    })
    const progress = latest((value) => job.updateProgress(value as object).catch(warn(lines)))
    return {
      log: ({ level, message, fields }) =>
        outgoing.pass('log', { agent: fields, text: message }, (line) => lines[level](line, 'agent log')),
      output: (stream, text) =>
        outgoing.print(stream, text, (cleared) => lines.info({ stream, text: cleared }, 'agent output')),
      progress: (value) => outgoing.pass('progress', value, progress),
      emit: (value) =>
        outgoing.pass('emit', value, (cleared) => void job.log(JSON.stringify(cleared)).catch(warn(lines))),
      span: (span) => outgoing.pass('span', span, (cleared) => recordClaim(attempt, cleared)),
      call: async (agentType, input, spanId) =>
        caller({
          ...(await outgoing.clear('call', { agentType, input })),
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
