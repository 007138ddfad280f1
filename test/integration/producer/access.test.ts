import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KEYS, startProducer, type TestProducer } from '../../support/producer.ts'
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

describe('API keys', () => {
  test.each<[string, Record<string, string>]>([
    ['none', { authorization: '' }],
    ['a wrong one', { authorization: 'Bearer tbk_wrong' }],
    ['another scheme', { authorization: `Basic ${KEYS.shop}` }],
    ['the hash of a right one', { authorization: 'Bearer 0' }],
  ])('%s is refused with 401 on every route', async (_what, headers) => {
    const posted = await producer.post(good, headers)
    expect(posted).toMatchObject({ status: 401, body: { type: 'unauthorized' } })
    expect(posted.headers.get('www-authenticate')).toBe('Bearer')
    const key = headers['authorization']!.replace('Bearer ', '')
    expect((await producer.get('/v1/agents', key)).status).toBe(401)
    expect((await producer.get('/v1/requests/writer.0', key)).status).toBe(401)
  })

  test('health needs none', async () => {
    expect((await fetch(`${producer.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${producer.url}/readyz`)).status).toBe(200)
  })
})

describe('tenants', () => {
  test("another tenant's request is answered like one that never was", async () => {
    const { body } = await producer.post(good)
    const foreign = await producer.get(body.url, KEYS.other)
    const unknown = await producer.get(`/v1/requests/writer.${'0'.repeat(32)}`, KEYS.other)
    expect(foreign.status).toBe(404)
    expect({ ...foreign.body, detail: '' }).toEqual({ ...unknown.body, detail: '' })
    expect((await producer.get(`${body.url}?wait=5s`, KEYS.other)).status).toBe(404)
  })

  test.each([
    'writer',
    'writer.1',
    '17',
    'nobody.0123456789abcdef0123456789abcdef',
    '%00',
    'writer.%2e%2e',
    'a'.repeat(300),
  ])('the id "%s" is not found', async (id) => {
    expect((await producer.get(`/v1/requests/${id}`)).status).toBe(404)
  })
})

describe('idempotency', () => {
  test('the same key by the same tenant is one request, also when both arrive at once', async () => {
    const body = { ...good, idempotencyKey: 'once' }
    const answers = await Promise.all(Array.from({ length: 8 }, () => producer.post(body)))
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([202]))
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1)
    expect(answers[0]!.body.id).toMatch(/^writer\.[0-9a-f]{12}8[0-9a-f]{19}$/)
  })

  test('the same key with another input is a conflict, and the first request stays', async () => {
    const first = await producer.post({ ...good, idempotencyKey: 'k2' })
    const second = await producer.post({
      agent: 'writer',
      input: { question: 'other' },
      idempotencyKey: 'k2',
    })
    expect(second).toMatchObject({
      status: 409,
      body: { type: 'idempotency-conflict', field: 'idempotencyKey' },
    })
    const job = await producer.writer.queue.getJob(first.body.id)
    expect(job!.data.input).toEqual(good.input)
  })

  test('the same key by another tenant is another request', async () => {
    const body = { ...good, idempotencyKey: 'k3' }
    const mine = await producer.post(body)
    const theirs = await producer.post(body, { authorization: `Bearer ${KEYS.other}` })
    expect(theirs.status).toBe(202)
    expect(theirs.body.id).not.toBe(mine.body.id)
  })
})
