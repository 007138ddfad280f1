import { type QueueRef, readAttempts } from '#lib/queue'
import type { Receipt } from '#lib/wire'
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'

/**
 * Whether a request ran in a thread host when that ended and nobody knows by whose fault. Such an attempt cost it
 * nothing; its next one is alone in a host, so that a request which takes every host down is found out and charged,
 * and one that was only beside it is not.
 */
export function openSuspicion(redis: Redis, queue: QueueRef) {
  return async (job: Job): Promise<boolean> => {
    if (job.attemptsStarted <= 1) return false
    const records = await readAttempts(redis, queue, job.id!).catch(() => [])
    return records.some(({ receipt }) => (receipt as Receipt | null)?.endedBy === 'host-lost')
  }
}

/** For levels whose contexts share no process. */
export const nobody = async (): Promise<boolean> => false
