import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startProducer, startWorker, type TestProducer } from '../../support/producer.ts'
import { startRedis, type TestRedis } from '../../support/queue-redis.ts'

let redis: TestRedis
let producer: TestProducer
beforeEach(async () => {
  redis = await startRedis()
  producer = await startProducer(redis)
})
afterEach(async () => {
  await producer.close()
  await redis[Symbol.asyncDispose]()
})

const good = { agent: 'writer', input: { question: 'why?' } }
const back = async () =>
  await expect.poll(() => fetch(`${producer.url}/readyz`).then(({ status }) => status)).toBe(200)

async function timed<T>(work: Promise<T>): Promise<{ answer: T; ms: number }> {
  const started = performance.now()
  const answer = await work
  return { answer, ms: performance.now() - started }
}

describe('Redis away', () => {
  test('every route says 503 within a second, and a restart heals all of them', async () => {
    const { body: kept } = await producer.post(good)
    const closed = once(producer.redis, 'close')
    await redis.kill()
    await closed
    for (const work of [
      () => producer.post(good),
      () => producer.post({ ...good, idempotencyKey: 'k' }),
      () => producer.get(kept.url),
      () => producer.get(`${kept.url}?wait=30s`),
      () => producer.get('/v1/agents'),
      () => producer.get('/readyz'),
    ]) {
      const { answer, ms } = await timed(work())
      expect(answer).toMatchObject({ status: 503, body: { type: 'queue-unavailable' } })
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(ms).toBeLessThan(1000)
    }
    expect((await fetch(`${producer.url}/healthz`)).status).toBe(200)
    await redis.start()
    await back()
    expect((await producer.post(good)).status).toBe(202)
    expect((await producer.get(kept.url)).body.state).toBe('waiting')
  })

  test('a caller that waits when Redis dies is told at once', async () => {
    const { body } = await producer.post(good)
    await watched(body.id)
    const waiting = producer.get(`${body.url}?wait=60s`)
    await expect.poll(() => producer.watch.waiting).toBe(1)
    await redis.kill()
    const { answer, ms } = await timed(waiting)
    expect(answer.status).toBe(503)
    expect(ms).toBeLessThan(1000)
  })

  test('after a restart a wait still hears of the end', async () => {
    const { body } = await producer.post(good)
    await watched(body.id)
    await redis.kill()
    await redis.start()
    await back()
    const waiting = timed(producer.get(`${body.url}?wait=30s`))
    await using _worker = await startWorker(redis, producer.scope, async () => ({ result: 1 }))
    const { answer } = await waiting
    expect(answer.body).toMatchObject({ state: 'ended', result: 1 })
  })

  test('a frozen Redis is answered with 503 in about two seconds', async () => {
    redis.freeze()
    const { answer, ms } = await timed(producer.post(good))
    redis.thaw()
    expect(answer.status).toBe(503)
    expect(ms).toBeLessThan(5 * 2000)
  })
})

describe('waiting', () => {
  test('many callers are woken by the end, well before they would look again', async () => {
    const posted = await Promise.all(Array.from({ length: 10 }, () => producer.post(good)))
    const waits = posted
      .flatMap(({ body }) => [body.url, body.url])
      .map((url) => producer.get(`${url}?wait=30s`))
    await expect.poll(() => producer.watch.waiting).toBe(posted.length)
    await using _worker = await startWorker(redis, producer.scope, async (job) => ({ result: job.id }))
    const { answer: answers, ms } = await timed(Promise.all(waits))
    expect(answers.map(({ body }) => body.result)).toEqual(posted.flatMap(({ body }) => [body.id, body.id]))
    expect(ms).toBeLessThan(2500)
  })

  test('an end in the same moment as the first wait is not missed', async () => {
    await using _worker = await startWorker(redis, producer.scope, async () => ({ result: 1 }))
    for (let round = 0; round < 20; round++) {
      const { body } = await producer.post(good)
      const { answer, ms } = await timed(producer.get(`${body.url}?wait=30s`))
      expect(answer.body.state).toBe('ended')
      expect(ms).toBeLessThan(2500)
    }
  })

  test('ends with what is known when its time is over', async () => {
    const { body } = await producer.post(good)
    const { answer, ms } = await timed(producer.get(`${body.url}?wait=500ms`))
    expect(answer).toMatchObject({ status: 200, body: { state: 'waiting' } })
    expect(ms).toBeGreaterThan(450)
  })

  test('ends when the caller goes away', async () => {
    const { body } = await producer.post(good)
    await watched(body.id)
    const gone = new AbortController()
    const waiting = producer.get(`${body.url}?wait=60s`, undefined, gone.signal).catch(() => 'gone')
    await expect.poll(() => producer.watch.waiting).toBe(1)
    gone.abort()
    expect(await waiting).toBe('gone')
    await expect.poll(() => producer.watch.waiting).toBe(0)
  })

  test('is answered at once when the producer closes', async () => {
    const { body } = await producer.post(good)
    const waiting = producer.get(`${body.url}?wait=60s`)
    await expect.poll(() => producer.watch.waiting).toBe(1)
    const { ms } = await timed(producer.close())
    expect((await waiting).body.state).toBe('waiting')
    expect(ms).toBeLessThan(2000)
  })
})

/** Makes the producer listen to the queue before the test goes on. */
async function watched(id: string): Promise<void> {
  await producer.get(`/v1/requests/${id}?wait=50ms`)
}
