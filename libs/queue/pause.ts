import type { Redis } from 'ioredis'
import * as z from 'zod'
import type { QueueRef } from './names.ts'
import type { JobQueue } from './queue.ts'

/** Why we paused a queue. */
export const Pause = z.object({
  reason: z.enum(['agent-load-failed']),
  /** For people. */
  message: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
})
export type Pause = z.infer<typeof Pause>

/** A queue, and the connection for what lies beside it. */
export interface PausableQueue {
  redis: Redis
  queue: JobQueue
  ref: QueueRef
}

/**
 * Stops every worker of the agent type from taking jobs; requests are accepted all the same. False when it was paused
 * already, for whichever reason: that reason stays.
 */
export async function pauseQueue({ redis, queue, ref }: PausableQueue, pause: Pause): Promise<boolean> {
  if (await queue.isPaused()) return false
  // First the reason: a pause without one would never be taken back by us.
  await redis.set(key(ref), JSON.stringify(pause))
  await queue.pause()
  return true
}

/** Ends a pause that was made for this reason, and no other. False when there was none. */
export async function resumeQueue(
  { redis, queue, ref }: PausableQueue,
  reason: Pause['reason'],
): Promise<boolean> {
  if ((await readReason(redis, ref))?.reason !== reason) return false
  await queue.resume()
  await redis.del(key(ref))
  return true
}

/** Why a queue is paused: our reason, `other` when somebody else did it; undefined when it is not paused. */
export async function readPause({
  redis,
  queue,
  ref,
}: PausableQueue): Promise<Pause | { reason: 'other' } | undefined> {
  const [isPaused, pause] = await Promise.all([queue.isPaused(), readReason(redis, ref)])
  return isPaused ? (pause ?? { reason: 'other' }) : undefined
}

async function readReason(redis: Redis, ref: QueueRef): Promise<Pause | undefined> {
  const text = await redis.get(key(ref))
  return text === null ? undefined : Pause.safeParse(JSON.parse(text)).data
}

const key = (ref: QueueRef) => ref.key('tb:pause')
