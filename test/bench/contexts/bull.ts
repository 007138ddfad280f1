import { randomUUID } from 'node:crypto'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { createRequire } from 'node:module'
import { readCredential } from '#lib/runtime'
import { startRedis, type TestRedis } from '../../support/queue-redis.ts'
import type { BareOptions } from './bare.ts'
import { type Answer, byRequests, type Running } from './contender.ts'
import { descendants } from './memory.ts'

const PATIENCE_MS = 60_000

type Style = 'inline' | 'sandbox, process' | 'sandbox, thread'
type Handler = (job: { data: { holdMs: number } }) => Promise<Answer>

/** A Redis for the BullMQ contenders, as the one that threadbound's jobs go through. */
export const openRedis = (): Promise<TestRedis> => startRedis()

/** BullMQ as it comes. It keeps its processes and threads, so that a request finds what earlier ones left. */
export async function bullmq(style: Style, options: BareOptions & { redis: TestRedis }): Promise<Running> {
  const { script, atOnce, redis } = options
  const connection = new Redis({
    path: redis.config.socket!,
    password: readCredential(redis.config.passwordFile!),
    maxRetriesPerRequest: null,
  })
  const name = `bench-${randomUUID()}`
  const queue = new Queue<{ holdMs: number }, Answer>(name, { connection })
  const before = new Set(descendants(process.pid))
  const handler = createRequire(import.meta.url)(script) as Handler
  const worker = new Worker<{ holdMs: number }, Answer>(
    name,
    style === 'inline' ? (job) => handler(job) : script,
    {
      connection,
      concurrency: atOnce,
      useWorkerThreads: style === 'sandbox, thread',
    },
  )
  const waiting = new Map<string, PromiseWithResolvers<Answer>>()
  worker.on('completed', (job, answer) => waiting.get(job.id!)?.resolve(answer))
  worker.on('failed', (job, error) => waiting.get(job?.id ?? '')?.reject(error))
  let count = 0
  const request = async (input: { holdMs: number }): Promise<Answer> => {
    const jobId = `r${count++}`
    const answer = Promise.withResolvers<Answer>()
    waiting.set(jobId, answer)
    await queue.add('request', input, { jobId, removeOnComplete: true })
    // A job that lost its lock while nothing kept up is told to nobody.
    const late = setTimeout(() => answer.reject(new Error(`no end of ${jobId} in 60 s`)), PATIENCE_MS)
    return answer.promise.finally(() => {
      clearTimeout(late)
      waiting.delete(jobId)
    })
  }
  const isProcess = style === 'sandbox, process'
  return {
    contender: {
      name: `BullMQ ${style}`,
      walls: style === 'sandbox, thread' ? 'thread' : 'none',
      reused: true,
    },
    ...byRequests(atOnce, request),
    async perSecond(count) {
      const begin = performance.now()
      await Promise.all(Array.from({ length: count }, () => request({ holdMs: 0 })))
      return (count * 1000) / (performance.now() - begin)
    },
    processes: () => (isProcess ? descendants(process.pid).filter((pid) => !before.has(pid)) : [process.pid]),
    async [Symbol.asyncDispose]() {
      await worker.close()
      await queue.close()
      connection.disconnect()
    },
  }
}
