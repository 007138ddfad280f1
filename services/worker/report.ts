import { type AttemptRecord, type QueueRef, recordAttempt } from '#lib/queue'
import type { Log } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import type { Receipt } from '#lib/wire'
import { trace } from '@opentelemetry/api'
import type { Redis } from 'ioredis'
import type { Attempt } from './attempt.ts'
import { judge, type Verdict } from './outcome.ts'

/** Where an attempt's record goes and how long it is kept, milliseconds. */
export interface ReportOptions {
  redis: Redis
  queue: QueueRef
  log: Log
  keepMs: number
}

/** Writes down how the attempt ended: on its span, in the log, and beside the job, before BullMQ moves the job. */
export async function report(
  attempt: Attempt,
  { redis, queue, log, keepMs }: ReportOptions,
): Promise<Verdict> {
  const verdict = judge(attempt)
  const record = recordOf(attempt, verdict)
  describeOnSpan(record)
  log.info({ requestId: attempt.job.id, ...record }, 'attempt ended')
  await recordAttempt(redis, queue, { jobId: attempt.job.id!, record, ttlMs: keepMs })
  return verdict
}

function recordOf(attempt: Attempt, { outcome, error }: Verdict): AttemptRecord {
  const { job, startedAt, end, traceparent } = attempt
  const endedAt = Date.now()
  return {
    attempt: job.attemptsMade + 1,
    outcome,
    ...(error ? { error } : {}),
    startedAt,
    endedAt,
    queuedMs: Math.max(0, startedAt - job.timestamp),
    runMs: endedAt - startedAt,
    receipt: end?.receipt ?? null,
    traceId: traceparent.split('-')[1] ?? '',
  }
}

function describeOnSpan({ attempt, outcome, queuedMs, error, receipt }: AttemptRecord): void {
  const { context, level, reuse, peakBytes } = (receipt ?? {}) as Partial<Receipt>
  const facts = {
    [attribute.attempt]: attempt,
    [attribute.outcome]: outcome,
    [attribute.queueWaitMs]: queuedMs,
    [attribute.errorType]: error?.type,
    [attribute.contextId]: context,
    [attribute.contextLevel]: level,
    [attribute.contextReuse]: reuse,
    [attribute.peakBytes]: peakBytes ?? undefined,
  }
  trace.getActiveSpan()?.setAttributes(facts)
}
