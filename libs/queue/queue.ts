import type { KeyObject } from 'node:crypto'
import { Queue, type Job, type Telemetry } from 'bullmq'
import type { Redis } from 'ioredis'
import { messageOf, silentLog, type Log } from '#lib/runtime'
import { signJob, type JobData } from './job.ts'
import { lockKey, newRequestId, queueOf, type QueueRef, type QueueScope } from './names.ts'

/** What a completed job holds as its return value. */
export interface JobResult {
  result: unknown
}
/** The BullMQ queue of an agent type. */
export type JobQueue = Queue<JobData, JobResult>

/** A job that nobody started within this time is failed with type `expired`. */
export const DEFAULT_EXPIRY_MS = 7 * 86_400_000
/** Largest job, in bytes of its JSON: the producer's 1 MiB body and the envelope around it. */
const MAX_JOB_BYTES = 2 ** 20 + 2 ** 17
/** Events kept per queue: they hold results, and whoever waits re-reads the job, so few are enough. */
export const EVENTS_KEPT = 1000

/** Which queue, over which connection. */
export interface OpenQueueOptions {
  scope: QueueScope
  agentType: string
  /** From `openRedis`; may be shared by many queues, and stays open when the queue closes. */
  connection: Redis
  /** From `bullTelemetry`. Default: no spans. */
  telemetry?: Telemetry
  /** Default: silent. */
  log?: Log
}

/** The BullMQ queue of an agent type, for adding and reading. End it with `close()`. */
export function openQueue({
  scope,
  agentType,
  connection,
  telemetry,
  log = silentLog,
}: OpenQueueOptions): JobQueue {
  const { name, prefix } = queueOf(scope, agentType)
  const queue: JobQueue = new Queue(name, {
    connection,
    prefix,
    streams: { events: { maxLen: EVENTS_KEPT } },
    ...(telemetry ? { telemetry } : {}),
  })
  queue.on('error', (error) => log.debug({ queue: name, error: messageOf(error) }, 'queue error'))
  return queue
}

/** A request on its way into a queue. */
export interface EnqueueOptions {
  signingKey: KeyObject
  input: unknown
  metadata?: Record<string, string>
  tenant: string
  caller: string
  chain?: string[]
  /** Default: a new one. A job whose id is in the queue already is left as it is. */
  id?: string
  /** Attempts at most, at least 1. */
  attempts: number
  /** How long the job is kept after its end, milliseconds. */
  keepMs: number
  /** Milliseconds since the epoch. Default: now. */
  createdAt?: number
  /** Milliseconds since the epoch. Default: {@link DEFAULT_EXPIRY_MS} after createdAt. */
  expiresAt?: number
}

/** Signs a job and adds it to its queue. @throws InvalidJobError when the input is no JSON or nests too deep */
export async function enqueue(queue: JobQueue, options: EnqueueOptions): Promise<Job<JobData, JobResult>> {
  const { signingKey, input, tenant, caller, attempts, createdAt = Date.now() } = options
  const { id = newRequestId(queue.name), metadata = {}, chain = [] } = options
  const expiresAt = options.expiresAt ?? createdAt + DEFAULT_EXPIRY_MS
  const facts = { id, agentType: queue.name, input, metadata, tenant, caller, chain, createdAt, expiresAt }
  const kept = { age: Math.ceil(options.keepMs / 1000) }
  return await queue.add(queue.name, signJob(signingKey, facts), {
    jobId: id,
    attempts,
    backoff: { type: 'exponential', delay: 1000, jitter: 0.5 },
    removeOnComplete: kept,
    removeOnFail: kept,
    sizeLimit: MAX_JOB_BYTES,
    stackTraceLimit: 0,
    keepLogs: 100,
  })
}

/** How many attempts of the type may run at once in the whole cluster. Holds for all workers from now on. */
export async function setMaxConcurrency(queue: JobQueue, attempts: number): Promise<void> {
  await queue.setGlobalConcurrency(attempts)
}

/** True while the holder of `lockToken` has the job's lock: a sign of life, never a credential. */
export async function isLockHeld(
  redis: Redis,
  queue: QueueRef,
  { jobId, lockToken }: { jobId: string; lockToken: string },
): Promise<boolean> {
  return (await redis.get(lockKey(queue, jobId))) === lockToken
}
