import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readAttempts, recordAttempt, verifyJob } from '#lib/queue'
import { startProducer, startWorker, type TestProducer } from '../../support/producer.ts'
import { startRedis, type TestRedis } from '../../support/queue-redis.ts'

let redis: TestRedis
let producer: TestProducer
beforeAll(async () => {
  redis = await startRedis()
  producer = await startProducer(redis)
})
afterAll(async () => {
  await producer.close()
  await redis[Symbol.asyncDispose]()
})

const good = { agent: 'writer', input: { question: 'why?' } }

describe('a request that is accepted', () => {
  test('lies in the queue signed, with tenant and caller of the API key, attempts, retention and jittered backoff', async () => {
    const { status, body, headers } = await producer.post({ ...good, metadata: { order: '7' } })
    expect(status).toBe(202)
    expect(body.id).toMatch(/^writer\.[0-9a-f]{32}$/)
    expect(body.url).toBe(`/v1/requests/${body.id}`)
    expect(headers.get('location')).toBe(body.url)
    const job = await producer.writer.queue.getJob(body.id)
    const verified = verifyJob(producer.publicKey, {
      id: body.id,
      agentType: 'writer',
      data: job!.data,
      acceptUnsigned: false,
      now: Date.now(),
    })
    expect(verified).toMatchObject({
      tenant: 'acme',
      caller: 'shop',
      chain: [],
      input: good.input,
      metadata: { order: '7' },
    })
    expect(verified.expiresAt! - verified.createdAt!).toBe(7 * 86_400_000)
    expect(job!.opts).toMatchObject({
      attempts: 2,
      removeOnComplete: { age: 60 },
      removeOnFail: { age: 60 },
      backoff: { type: 'exponential', jitter: 0.5 },
    })
  })

  test('is seen as waiting, then ended with its result, its attempts and its receipt', async () => {
    const { body } = await producer.post(good)
    expect((await producer.get(body.url)).body).toMatchObject({
      id: body.id,
      agent: 'writer',
      state: 'waiting',
      attempts: 0,
    })
    await using _worker = await startWorker(redis, producer.scope, async (job) => {
      const record = {
        attempt: 1,
        outcome: 'completed' as const,
        startedAt: 1,
        endedAt: 5,
        queuedMs: 3,
        runMs: 4,
        receipt: { context: 'c1' },
        traceId: 't',
      }
      await recordAttempt(producer.redis, producer.writer.ref, { jobId: job.id!, record, ttlMs: 60_000 })
      return { result: { answer: 42 } }
    })
    const { body: view } = await producer.get(`${body.url}?wait=10s`)
    expect(view).toMatchObject({
      state: 'ended',
      outcome: 'completed',
      result: { answer: 42 },
      attempts: 1,
      queuedMs: 3,
      runMs: 4,
      receipt: { context: 'c1' },
    })
    expect(view).not.toHaveProperty('tenant')
    expect(await readAttempts(producer.redis, producer.writer.ref, body.id)).toHaveLength(1)
  })

  test('that fails shows type and message of its failure', async () => {
    const scope = producer.scope
    const { body } = await producer.post(good)
    await using _worker = await startWorker(redis, scope, async (job) => {
      job.opts.attempts = 1
      throw new Error('no-such-table: there is no table "x"')
    })
    const { body: view } = await producer.get(`${body.url}?wait=10s`)
    expect(view).toMatchObject({
      state: 'ended',
      outcome: 'failed',
      error: { type: 'no-such-table', message: 'there is no table "x"' },
    })
    expect(view).not.toHaveProperty('result')
  })
})

describe('GET /v1/agents', () => {
  test('lists every type with slots, queue, level and schemas', async () => {
    const { body } = await producer.get('/v1/agents')
    expect(body).toContainEqual(
      expect.objectContaining({ name: 'writer', maxConcurrency: 5, active: 0, level: 'namespace', slots: 0 }),
    )
    expect(body.find((agent: { name: string }) => agent.name === 'writer').input.required).toEqual([
      'question',
    ])
    expect(body.find((agent: { name: string }) => agent.name === 'not-started')).toMatchObject({
      level: null,
      input: null,
    })
    expect(await producer.writer.queue.getGlobalConcurrency()).toBe(5)
  })
})
