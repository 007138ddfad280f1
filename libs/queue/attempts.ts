import type { Redis } from 'ioredis'
import * as z from 'zod'
import type { QueueRef } from './names.ts'

/** How an attempt, or a request, ended. */
export const Outcome = z.enum([
  'completed',
  'failed',
  'timed-out',
  'out-of-memory',
  'cancelled',
  'interrupted',
])
export type Outcome = z.infer<typeof Outcome>

/** What is kept of one attempt. Times are milliseconds since the epoch. */
export const AttemptRecord = z.object({
  /** From 1. */
  attempt: z.int(),
  outcome: Outcome,
  error: z.object({ type: z.string(), message: z.string(), stack: z.string().optional() }).optional(),
  startedAt: z.number(),
  endedAt: z.number(),
  /** From the moment the attempt could start to its start. */
  queuedMs: z.number(),
  runMs: z.number(),
  /** What launcher, kernel and worker measured of the context; null when there was none. */
  receipt: z.record(z.string(), z.unknown()).nullable(),
  traceId: z.string(),
})
type Stored = z.infer<typeof AttemptRecord>
/** An attempt record; its receipt is a `Receipt` of #lib/wire, which this lib does not import. */
export interface AttemptRecord extends Omit<Stored, 'receipt'> {
  receipt: object | null
}

/** Attempts kept per request: a job handed back again and again must not fill Redis. */
const KEPT = 100

/** Adds a record to a request's attempts, all of which are kept for `ttlMs` from now. */
export async function recordAttempt(
  redis: Redis,
  queue: QueueRef,
  { jobId, record, ttlMs }: { jobId: string; record: AttemptRecord; ttlMs: number },
): Promise<void> {
  const key = attemptsKey(queue, jobId)
  await redis
    .multi()
    .rpush(key, JSON.stringify(record))
    .ltrim(key, -KEPT, -1)
    .pexpire(key, Math.ceil(ttlMs))
    .exec()
}

/** The attempts of a request, oldest first. What does not fit the schema is left out. */
export async function readAttempts(redis: Redis, queue: QueueRef, jobId: string): Promise<AttemptRecord[]> {
  const texts = await redis.lrange(attemptsKey(queue, jobId), 0, -1)
  return texts.flatMap((text) => AttemptRecord.safeParse(JSON.parse(text)).data ?? [])
}

const attemptsKey = (queue: QueueRef, jobId: string) => queue.key(`tb:attempts:${jobId}`)
