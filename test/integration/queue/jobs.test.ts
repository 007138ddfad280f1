import { generateKeyPairSync } from 'node:crypto'
import { type Job, Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  enqueue,
  isLockHeld,
  type JobData,
  type JobQueue,
  lockKey,
  openQueue,
  openRedis,
  parseFailure,
  publicKeyOf,
  queueOf,
  readRequest,
  setMaxConcurrency,
  verifyJob,
} from '#lib/queue'
import { startRedis, type TestRedis } from '../../support/queue-redis.ts'

const scope = { cluster: 'demo', environment: 'test' }
const ref = queueOf(scope, 'writer')
const { privateKey: signingKey } = generateKeyPairSync('ed25519')
const publicKey = publicKeyOf(signingKey)
const facts = { signingKey, input: { q: 1 }, tenant: 'acme', caller: 'shop', attempts: 3, keepMs: 60_000 }

let server: TestRedis
let redis: Redis
let blocking: Redis
let queue: JobQueue
beforeAll(async () => {
  server = await startRedis()
  redis = await openRedis(server.config, 'producer')
  blocking = await openRedis(server.config, 'worker')
  queue = openQueue({ scope, agentType: 'writer', connection: redis })
})
afterAll(async () => {
  await queue.close()
  redis.disconnect()
  blocking.disconnect()
  await server[Symbol.asyncDispose]()
})

const judge = (job: Job, acceptUnsigned = false) =>
  verifyJob(publicKey, { id: job.id!, agentType: 'writer', data: job.data, acceptUnsigned, now: Date.now() })

/** Works as a worker does: verifies, and fails with `<type>: <message>` without another attempt. */
async function serve(work: (job: Job<JobData>, token: string) => Promise<unknown>, acceptUnsigned = false) {
  const { UnrecoverableError } = await import('bullmq')
  const process = async (job: Job<JobData>, token = '') => {
    try {
      judge(job, acceptUnsigned)
    } catch (error) {
      const { type, message } = error as { type: string; message: string }
      throw new UnrecoverableError(`${type}: ${message}`)
    }
    return { result: await work(job, token) }
  }
  const worker = new Worker(ref.name, process, { connection: blocking, prefix: ref.prefix, concurrency: 10 })
  worker.on('error', () => {})
  return { worker, [Symbol.asyncDispose]: () => worker.close() }
}

async function ended(id: string) {
  const read = () => readRequest({ redis, queue, ref, id, publicKey })
  await expect.poll(async () => (await read())?.view.state, { interval: 10 }).toBe('ended')
  return (await read())!.view
}

describe('I5: a job that is not what a producer signed never runs, and says why', () => {
  const ran: string[] = []
  const tampered: Record<string, { type: string; add: () => Promise<string> }> = {
    'edited in Redis': {
      type: 'forged',
      add: async () => {
        const job = await enqueue(queue, facts)
        await job.updateData({ ...job.data, input: { q: 2 } })
        return job.id!
      },
    },
    'replayed under another id': {
      type: 'forged',
      add: async () => {
        const { data } = await enqueue(queue, facts)
        return (await queue.add('writer', data, { jobId: 'writer.replayed' })).id!
      },
    },
    'signed with another key': {
      type: 'forged',
      add: async () => {
        const other = generateKeyPairSync('ed25519').privateKey
        return (await enqueue(queue, { ...facts, signingKey: other })).id!
      },
    },
    'past its expiry': {
      type: 'expired',
      add: async () => (await enqueue(queue, { ...facts, expiresAt: Date.now() - 1 })).id!,
    },
    'not signed at all': { type: 'unsigned', add: async () => (await plain({ input: 1 })).id! },
  }

  test.each(Object.entries(tampered))('a job %s', async (_what, { type, add }) => {
    const id = await add()
    await using _worker = await serve(async (job) => void ran.push(job.id!))
    const view = await ended(id)
    expect(view).toMatchObject({ outcome: 'failed', error: { type } })
    expect(view.error!.message.length).toBeGreaterThan(10)
    expect(ran).not.toContain(id)
  })
})

describe('a service with plain BullMQ', () => {
  test('may enqueue the documented shape to a type that accepts it', async () => {
    const job = await plain({ input: { q: 'hello' }, metadata: { order: '7' } })
    await using _worker = await serve(async (job) => job.data.input, true)
    expect(await ended(job.id!)).toMatchObject({ outcome: 'completed', result: { q: 'hello' } })
    const stored = await queue.getJob(job.id!)
    expect(judge(stored!, true)).toMatchObject({ tenant: 'unsigned', caller: 'unsigned', signed: false })
    const found = await readRequest({ redis, queue, ref, id: job.id!, publicKey })
    expect(found!.owner).toEqual({ tenant: 'unsigned', caller: 'unsigned', chain: [] })
  })

  test('gets a failure that says why for a shape that does not fit, after one attempt', async () => {
    const job = await plain({ question: 'hello' }, { attempts: 5 })
    await using _worker = await serve(async () => {}, true)
    const view = await ended(job.id!)
    expect(view.error).toMatchObject({
      type: 'invalid-job',
      message: expect.stringMatching(/input: .*question/),
    })
    expect(view.attempts).toBe(1)
  })

  test('cannot claim a tenant by itself', async () => {
    const job = await plain({ input: 1, tenant: 'acme' })
    const found = await readRequest({ redis, queue, ref, id: job.id!, publicKey })
    expect(found!.owner.tenant).toBe('unsigned')
  })
})

describe('a queue', () => {
  test('keeps a job that is there when another with its id is added', async () => {
    const id = 'writer.twice'
    await enqueue(queue, { ...facts, id, input: 'first' })
    await enqueue(queue, { ...facts, id, input: 'second' })
    expect((await queue.getJob(id))!.data.input).toBe('first')
  })

  test('refuses a job beyond its size limit', async () => {
    await expect(enqueue(queue, { ...facts, input: 'x'.repeat(2 ** 21) })).rejects.toThrow(
      /exceeds the limit/,
    )
  })

  test('holds max-concurrency over all workers, and BullMQ keeps its lock where lockKey says', async () => {
    await setMaxConcurrency(queue, 2)
    const jobs = await Promise.all(Array.from({ length: 6 }, () => enqueue(queue, facts)))
    let running = 0
    let most = 0
    const two = Promise.withResolvers<void>()
    const held: boolean[] = []
    await using _worker = await serve(async (job, token) => {
      most = Math.max(most, ++running)
      if (running === 2) two.resolve()
      await two.promise
      held.push(await isLockHeld(redis, ref, { jobId: job.id!, lockToken: token }))
      await new Promise((resolve) => setTimeout(resolve, 20))
      running--
    })
    await Promise.all(jobs.map(({ id }) => ended(id!)))
    expect(most).toBe(2)
    expect(held).not.toContain(false)
    expect(await redis.exists(lockKey(ref, jobs[0]!.id!))).toBe(0)
  })
})

test('a failure is read as type and message, whatever its text', () => {
  expect(parseFailure('timed-out: after 30 s: x')).toEqual({ type: 'timed-out', message: 'after 30 s: x' })
  expect(parseFailure('Cannot read x')).toEqual({ type: 'failed', message: 'Cannot read x' })
  expect(parseFailure('job stalled more than allowable limit')).toMatchObject({ type: 'interrupted' })
  expect(parseFailure(undefined)).toEqual({ type: 'failed', message: '' })
})

/** What the README shows: plain BullMQ, name and prefix of the queue, nothing of ours. */
async function plain(data: object, opts: object = {}): Promise<Job> {
  const bare = new Queue('writer', { connection: redis, prefix: '{tb:demo:test:writer}' })
  try {
    return await bare.add('anything', data, opts)
  } finally {
    await bare.close()
  }
}
