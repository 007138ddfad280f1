import type { Log } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import { trace } from '@opentelemetry/api'
import { type Attempt, patienceOf } from './attempt.ts'
import { Outgoing } from './outgoing.ts'
import type { Redaction } from './redaction.ts'

/** The way out for what an attempt says. Secrets that were masked in it are counted on the attempt's span. */
export function openOutgoing(redaction: Redaction, log: Log) {
  return (attempt: Attempt): Outgoing => {
    const { job, grant } = attempt
    const span = trace.getActiveSpan()
    let count = 0
    const found = () => void span?.setAttribute(attribute.redactions, ++count)
    return new Outgoing({
      grant,
      redaction,
      found,
      patienceMs: () => patienceOf(attempt),
      log: log.child({ requestId: job.id }),
    })
  }
}
