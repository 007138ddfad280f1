import type { KeyObject } from 'node:crypto'
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import { readAttempts, type AttemptRecord, type Outcome } from './attempts.ts'
import { CANCELLED_REASON, readCancelledAt } from './cancel.ts'
import { PermanentError } from '#lib/runtime'
import { UNSIGNED, verifyJob, type JobData } from './job.ts'
import { type QueueRef } from './names.ts'
import type { JobQueue, JobResult } from './queue.ts'
import { traceIdOf, traceparentOfJob } from './trace-id.ts'

/** What can be said about a request. Times are milliseconds since the epoch. */
export interface RequestView {
  id: string
  agent: string
  state: 'waiting' | 'running' | 'ended'
  /** Once it has ended. */
  outcome?: Outcome
  /** What the agent returned, once it has completed. */
  result?: unknown
  error?: { type: string; message: string }
  /** Attempts made so far. */
  attempts: number
  traceId?: string
  enqueuedAt: number
  /** When it was cancelled: it ends `cancelled`, unless an attempt that was running then completes first. */
  cancelledAt?: number
  endedAt?: number
  /** How long the first attempt waited. */
  queuedMs?: number
  /** How long the last attempt ran. */
  runMs?: number
  /** Of the last attempt. */
  receipt?: object
  attemptRecords: AttemptRecord[]
  metadata: Record<string, string>
}

/** Who a request belongs to, as its signature proves: not for callers to see. */
export interface RequestOwner {
  tenant: string
  caller: string
  chain: string[]
}

/** Which request, and the key that proves whose it is. */
export interface ReadRequestOptions {
  redis: Redis
  queue: JobQueue
  ref: QueueRef
  id: string
  publicKey: KeyObject
}

/** A request as it is kept. */
export interface FoundRequest {
  view: RequestView
  owner: RequestOwner
  /** Of the span that enqueued it; not for callers to see. */
  traceparent: string | undefined
}

/** A request and its owner; undefined when no such job is kept. Without a good signature its owner is `unsigned`. */
export async function readRequest(options: ReadRequestOptions): Promise<FoundRequest | undefined> {
  const { redis, queue, ref, id } = options
  // The state comes first: a job that ends in between is then shown as running with all it has, never as ended without its result.
  const state = await queue.getJobState(id)
  if (state === 'unknown') return undefined
  const [job, records, cancelledAt] = await Promise.all([
    queue.getJob(id),
    readAttempts(redis, ref, id),
    readCancelledAt(redis, ref, id),
  ])
  if (!job) return undefined
  return {
    view: viewOf({ job, id, agent: ref.name, state, records, cancelledAt }),
    owner: ownerOf(options, job.data),
    traceparent: traceparentOfJob(job),
  }
}

interface Read {
  job: Job<JobData, JobResult>
  id: string
  agent: string
  state: string
  records: AttemptRecord[]
  cancelledAt: number | undefined
}

function viewOf(read: Read): RequestView {
  const { job, records, id, agent, cancelledAt } = read
  const traceId = traceIdOf(job)
  const queuedMs =
    records[0]?.queuedMs ?? (job.processedOn === undefined ? undefined : job.processedOn - job.timestamp)
  return {
    id,
    agent,
    state: read.state === 'active' ? 'running' : isEnded(read.state) ? 'ended' : 'waiting',
    ...(isEnded(read.state) ? endOf(read) : {}),
    attempts: records.length || job.attemptsMade,
    ...(traceId ? { traceId } : {}),
    enqueuedAt: job.timestamp,
    ...(cancelledAt === undefined ? {} : { cancelledAt }),
    ...(queuedMs === undefined ? {} : { queuedMs: Math.max(0, queuedMs) }),
    attemptRecords: records,
    metadata: isRecord(job.data?.metadata) ? job.data.metadata : {},
  }
}

const isEnded = (state: string) => state === 'completed' || state === 'failed'
const isRecord = (value: unknown): value is Record<string, string> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function endOf(read: Read): Partial<RequestView> {
  const { job, state, records } = read
  const last = records.at(-1)
  const completed = state === 'completed'
  const endedAt = job.finishedOn
  const runMs =
    last?.runMs ??
    (endedAt === undefined || job.processedOn === undefined ? undefined : endedAt - job.processedOn)
  return {
    ...(completed ? { outcome: 'completed', result: job.returnvalue?.result ?? null } : failureOf(read)),
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(runMs === undefined ? {} : { runMs }),
    ...(last?.receipt ? { receipt: last.receipt } : {}),
  }
}

/** What was cancelled and did not complete is cancelled, whatever else ended its attempt meanwhile. */
function failureOf({ job, records, cancelledAt }: Read): Pick<RequestView, 'outcome' | 'error'> {
  if (cancelledAt !== undefined) return { outcome: 'cancelled', error: parseFailure(CANCELLED_REASON) }
  const last = records.at(-1)
  return { outcome: failedOutcome(job.failedReason, last), error: errorOf(job.failedReason, last) }
}

/** The last attempt's own words; without a record, what BullMQ was told. */
function errorOf(reason: string | undefined, last: AttemptRecord | undefined) {
  if (isStalled(reason) || !last?.error) return parseFailure(reason)
  const { type, message } = last.error
  return { type, message }
}

/** BullMQ fails by itself what lost its worker too often; no attempt record tells of that. */
const isStalled = (reason: string | undefined) =>
  reason?.includes('stalled more than allowable limit') ?? false

function failedOutcome(reason: string | undefined, last: AttemptRecord | undefined): Outcome {
  if (isStalled(reason)) return 'interrupted'
  return last && last.outcome !== 'completed' ? last.outcome : 'failed'
}

/** Reads `<type>: <message>`, which is how a worker fails a job. */
export function parseFailure(reason: string | undefined): { type: string; message: string } {
  if (isStalled(reason)) return { type: 'interrupted', message: 'the worker was lost more than once' }
  const match = /^([a-z][a-z0-9-]*): ([\s\S]*)$/.exec(reason ?? '')
  return match ? { type: match[1]!, message: match[2]! } : { type: 'failed', message: reason ?? '' }
}

function ownerOf({ publicKey, id, ref }: ReadRequestOptions, data: unknown): RequestOwner {
  try {
    // A request that has expired still belongs to somebody.
    const job = verifyJob(publicKey, { id, agentType: ref.name, data, acceptUnsigned: true, now: 0 })
    return { tenant: job.tenant, caller: job.caller, chain: job.chain }
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error
    return { tenant: UNSIGNED, caller: UNSIGNED, chain: [] }
  }
}
