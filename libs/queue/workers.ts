import type { Redis } from 'ioredis'
import * as z from 'zod'
import { Level } from '#lib/runtime'
import type { QueueRef } from './names.ts'

/** A worker's sign of life. */
export const WorkerInfo = z.object({
  /** Unique per worker process. */
  id: z.string().min(1),
  pid: z.int(),
  level: Level,
  slots: z.int(),
  active: z.int(),
  spares: z.int(),
})
export type WorkerInfo = z.infer<typeof WorkerInfo>

/** A worker that gave no sign for this long counts as gone. Publish three times as often. */
const WORKER_TTL_MS = 15_000

/**
 * Says that a worker is alive, for `ttlMs` from now. An index by expiry stands beside the entries, because services may
 * not SCAN.
 */
export async function publishWorker(
  redis: Redis,
  queue: QueueRef,
  worker: WorkerInfo,
  ttlMs = WORKER_TTL_MS,
): Promise<void> {
  const now = Date.now()
  const index = queue.key('tb:workers')
  await redis
    .multi()
    .set(entry(queue, worker.id), JSON.stringify(worker), 'PX', ttlMs)
    .zadd(index, now + ttlMs, worker.id)
    .zremrangebyscore(index, 0, now)
    .pexpire(index, ttlMs * 2)
    .exec()
}

/** Takes a worker off the list at once, when it ends. */
export async function withdrawWorker(redis: Redis, queue: QueueRef, id: string): Promise<void> {
  await redis.multi().del(entry(queue, id)).zrem(queue.key('tb:workers'), id).exec()
}

/** The workers of an agent type that are alive now. */
export async function readWorkers(redis: Redis, queue: QueueRef): Promise<WorkerInfo[]> {
  const ids = await redis.zrevrange(queue.key('tb:workers'), 0, 999)
  if (ids.length === 0) return []
  const texts = await redis.mget(ids.map((id) => entry(queue, id)))
  return texts
    .filter((text) => text !== null)
    .flatMap((text) => WorkerInfo.safeParse(JSON.parse(text)).data ?? [])
}

const entry = (queue: QueueRef, id: string) => queue.key(`tb:worker:${id}`)
