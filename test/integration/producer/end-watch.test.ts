import { Worker } from 'bullmq'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRedis } from '#lib/queue'
import { silentLog } from '#lib/runtime'
import { EndWatch } from '../../../services/producer/end-watch.ts'
import { startProducer, type TestProducer } from '../../support/producer.ts'
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

const connect = () => openRedis(redis.config, 'worker')

test('W1: an end right after the watch counts as open wakes, though its first read is not yet under way', async () => {
  const connection = await connect()
  const { ref } = producer.writer
  const worker = new Worker(ref.name, null, { connection, prefix: ref.prefix, autorun: false })
  await using watch = new EndWatch({ redis: producer.redis, log: silentLog, connect })
  const { body } = await producer.post({ agent: 'writer', input: { question: 'why?' } })
  const job = await worker.getNextJob('token')
  await watch.listen(producer.writer)
  const woken = Promise.withResolvers<string>()
  watch.register(body.id, () => woken.resolve('woken'))
  await job.moveToCompleted({ result: 1 }, 'token', false)
  const late = setTimeout(() => woken.resolve('missed'), 20_000)
  expect(await woken.promise).toBe('woken')
  clearTimeout(late)
  await worker.close(true)
  connection.disconnect()
})
