import { type Job, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { expect } from 'vitest'
import type { QueueRef } from '#lib/queue'

interface PlainWorkerOptions {
  queue: QueueRef
  connection: Redis
  /** Of BullMQ. */
  more?: object
}

/** Takes jobs as BullMQ alone does: `work` answers for each, as often as it is started. */
export function serveQueue(options: PlainWorkerOptions & { work: (job: Job) => Promise<unknown> }) {
  const { queue, connection, work, more } = options
  const worker = new Worker(queue.name, work, { connection, prefix: queue.prefix, ...more })
  worker.on('error', () => {})
  return Object.assign(worker, { [Symbol.asyncDispose]: () => worker.close() })
}

/** A worker that holds the jobs it has taken until it is told how they end. */
export function holdJobs(options: PlainWorkerOptions) {
  const ends = new Map<string, PromiseWithResolvers<unknown>>()
  const work = (job: Job) => {
    const end = Promise.withResolvers<unknown>()
    ends.set(job.id!, end)
    return end.promise
  }
  const taken = async (id: string) => {
    await expect.poll(() => ends.has(id), { timeout: 10_000, interval: 5 }).toBe(true)
    return ends.get(id)!
  }
  return Object.assign(serveQueue({ ...options, work }), { taken })
}
