import { type Log, messageOf, onDispose } from '#lib/runtime'
import type { QueueRef } from '#lib/queue'
import { Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import * as z from 'zod'

const Wake = z.object({ secret: z.string().optional() })
type Wake = z.infer<typeof Wake>

export interface JobsOptions {
  keys: QueueRef
  /** Of role `reader`, and of role `worker`. Both stay open. */
  redis: Redis
  blocking: Redis
  /** Called for each job: with a secret, or for all. */
  wake: (secret?: string) => void
  lookEveryMs: number
  log: Log
}

/** The rotator's queue: what wakes whichever rotator is free. */
export interface Jobs extends AsyncDisposable {
  /** Has a secret looked at then. Twice for one time is once. */
  wakeAt(secret: string, at: number): Promise<void>
}

/**
 * BullMQ jobs that wake rotators: a scheduler's for all secrets, and a delayed one for the next step of each. They carry
 * no decision: what is due is read from the record, so a job that is lost, late, doubled or forged changes nothing but
 * the time of a look.
 */
export async function openJobs({
  keys,
  redis,
  blocking,
  wake,
  lookEveryMs,
  log,
}: JobsOptions): Promise<Jobs> {
  const { name, prefix } = keys
  const queue = new Queue<Wake>(name, { connection: redis, prefix, streams: { events: { maxLen: 100 } } })
  const worker = new Worker<Wake>(name, async (job, _token, _signal) => wake(Wake.parse(job.data).secret), {
    connection: blocking,
    prefix,
    concurrency: 4,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 10 },
  })
  const onError = (error: unknown) => log.debug({ error: messageOf(error) }, 'queue error')
  queue.on('error', onError)
  worker.on('error', onError)
  await queue.upsertJobScheduler('look', { every: lookEveryMs }, { name: 'look', data: {} })
  const ended = onDispose(async () => {
    await worker.close()
    await queue.close()
  })
  return Object.assign(ended, {
    async wakeAt(secret: string, at: number) {
      const opts = { jobId: `${secret}.${at}`, delay: Math.max(0, at - Date.now()), removeOnComplete: true }
      await queue.add('wake', { secret }, opts)
    },
  })
}
