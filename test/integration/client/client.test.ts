import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ThreadboundClient } from '../../../libs/client/index.ts'
import { KEYS, startProducer, startWorker, type TestProducer } from '../../support/producer.ts'
import { startRedis, type TestRedis } from '../../support/queue-redis.ts'

let redis: TestRedis
let producer: TestProducer
let client: ThreadboundClient
beforeAll(async () => {
  redis = await startRedis()
  producer = await startProducer(redis)
  client = new ThreadboundClient({ url: producer.url, apiKey: KEYS.shop })
})
afterAll(async () => {
  await producer.close()
  await redis[Symbol.asyncDispose]()
})

describe('the client against a real producer', () => {
  test('run gives what the agent returned', async () => {
    await using _worker = await startWorker(redis, producer.scope, async (job) => ({
      result: job.data.input,
    }))
    expect(await client.run('writer', { question: 'why?' }, { metadata: { a: '1' } })).toEqual({
      question: 'why?',
    })
  })

  test('an answer that is lost on the way back leaves one job, not two', async () => {
    let answers = 0
    const lossy: typeof fetch = async (...args) => {
      const response = await fetch(...args)
      if (++answers === 1) throw new TypeError('fetch failed')
      return response
    }
    const before = await producer.writer.queue.count()
    const unlucky = new ThreadboundClient({ url: producer.url, apiKey: KEYS.shop, fetch: lossy })
    const { id } = await unlucky.enqueue('writer', { question: 'once' })
    expect(answers).toBe(2)
    expect(await producer.writer.queue.count()).toBe(before + 1)
    expect(await client.request(id)).toMatchObject({ id, state: 'waiting' })
  })

  test('a refusal names the field', async () => {
    await expect(client.run('writer', { question: 1 })).rejects.toMatchObject({
      status: 400,
      type: 'invalid-input',
      field: 'input.question',
    })
    const stranger = new ThreadboundClient({ url: producer.url, apiKey: 'tbk_no' })
    await expect(stranger.agents()).rejects.toMatchObject({ status: 401, type: 'unauthorized' })
  })

  test('agents lists the agent types', async () => {
    expect((await client.agents()).map(({ name }) => name)).toContain('writer')
  })
})
