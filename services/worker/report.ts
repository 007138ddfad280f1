import { type AttemptRecord, type QueueRef, readAttempts, recordAttempt } from '#lib/queue'
import { type Log, messageOf } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import type { Receipt } from '#lib/wire'
import { SpanStatusCode, trace } from '@opentelemetry/api'
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Attempt } from './attempt.ts'
import { judge, type Verdict } from './outcome.ts'
import { receiptAttributes } from './receipt-attributes.ts'

/** Where an attempt's record goes and how long it is kept, milliseconds. */
export interface ReportOptions {
  redis: Redis
  queue: QueueRef
  log: Log
  keepMs: number
}

/**
 * Writes down how the attempt ended: on its span, in the log, and beside the job, before BullMQ moves the job.
 * A record that cannot be kept is a fact for the log, never a change of the outcome.
 */
export async function report(attempt: Attempt, options: ReportOptions): Promise<Verdict> {
  const { redis, queue, log, keepMs } = options
  const verdict = judge(attempt)
  const record = recordOf(attempt, verdict, await availableAt(attempt.job, options))
  describeOnSpan(record)
  log.info({ requestId: attempt.job.id, ...record }, 'attempt ended')
  await recordAttempt(redis, queue, { jobId: attempt.job.id!, record, ttlMs: keepMs }).catch(
    warn(log, attempt.job),
  )
  return verdict
}

/** When the job could have been started: once it was due, or after its last attempt, whose backoff counts as waiting. */
async function availableAt(job: Job, { redis, queue, log }: ReportOptions): Promise<number> {
  const due = job.timestamp + (job.opts.delay ?? 0)
  if (job.attemptsStarted <= 1) return due
  const records = await readAttempts(redis, queue, job.id!).catch(warn(log, job))
  return records?.at(-1)?.endedAt ?? due
}

const warn = (log: Log, job: Job) => (error: unknown) => {
  log.error({ requestId: job.id, error: messageOf(error) }, 'attempt records not reachable')
}

function recordOf(attempt: Attempt, { outcome, error }: Verdict, availableAtMs: number): AttemptRecord {
  const { job, startedAt, end, traceparent } = attempt
  const endedAt = Date.now()
  return {
    attempt: job.attemptsMade + 1,
    outcome,
    ...(error ? { error } : {}),
    startedAt,
    endedAt,
    queuedMs: Math.max(0, startedAt - availableAtMs),
    runMs: endedAt - startedAt,
    receipt: end?.receipt ?? null,
    traceId: traceparent.split('-')[1] ?? '',
  }
}

/** An attempt that is handed back throws nothing that BullMQ would call a failure: its span says so here. */
function describeOnSpan({ attempt, outcome, queuedMs, error, receipt }: AttemptRecord): void {
  const facts = {
    [attribute.attempt]: attempt,
    [attribute.outcome]: outcome,
    [attribute.queueWaitMs]: queuedMs,
    [attribute.errorType]: error?.type,
    ...(receipt ? receiptAttributes(receipt as Receipt) : {}),
  }
  const span = trace.getActiveSpan()?.setAttributes(facts)
  if (outcome !== 'completed') span?.setStatus({ code: SpanStatusCode.ERROR })
}
