import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { publishManifest } from '#lib/queue'
import { startProducer, testManifest, type TestProducer } from '../../support/producer.ts'
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

interface Case {
  body: unknown
  status?: number
  type: string
  field?: string
  detail: RegExp
}
const good = { agent: 'writer', input: { question: 'why?' } }
const input = (value: unknown) => ({ agent: 'writer', input: value })
const deep = '['.repeat(1e5) + ']'.repeat(1e5)

const cases: Record<string, Case> = {
  'an unknown agent': {
    body: { ...good, agent: 'wrter' },
    status: 404,
    type: 'unknown-agent',
    field: 'agent',
    detail: /did you mean "writer"/,
  },
  'a name that every object has': {
    body: { ...good, agent: 'constructor' },
    status: 404,
    type: 'unknown-agent',
    field: 'agent',
    detail: /no agent "constructor"$/,
  },
  'a field of the wrong type': {
    body: input({ question: 1 }),
    type: 'invalid-input',
    field: 'input.question',
    detail: /^input\.question: must be string$/,
  },
  'a field that is missing': {
    body: input({}),
    type: 'invalid-input',
    field: 'input.question',
    detail: /^input\.question: is required$/,
  },
  'a field too many': {
    body: input({ question: 'a', x: 1 }),
    type: 'invalid-input',
    field: 'input.x',
    detail: /^input\.x: is not a known key$/,
  },
  'a wrong item of a list': {
    body: input({ question: 'a', rows: [1, 'b'] }),
    type: 'invalid-input',
    field: 'input.rows[1]',
    detail: /must be number/,
  },
  'no input': { body: { agent: 'writer' }, type: 'invalid-request', field: 'input', detail: /^input: / },
  'no agent': { body: { input: {} }, type: 'invalid-request', field: 'agent', detail: /^agent: .*string/ },
  'a tenant in the body': {
    body: { ...good, tenant: 'rival' },
    type: 'invalid-request',
    field: 'tenant',
    detail: /^tenant: is not a known key$/,
  },
  'metadata that is no text': {
    body: { ...good, metadata: { a: 1 } },
    type: 'invalid-request',
    field: 'metadata.a',
    detail: /^metadata\.a: /,
  },
  'an empty idempotency key': {
    body: { ...good, idempotencyKey: '' },
    type: 'invalid-request',
    field: 'idempotencyKey',
    detail: /^idempotencyKey: /,
  },
  'malformed JSON': { body: '{"agent":', type: 'malformed-json', detail: /not valid JSON/ },
  'an empty body': { body: '', type: 'malformed-json', detail: /empty/ },
  'a poisoned prototype': {
    body: '{"agent":"writer","__proto__":{}}',
    type: 'malformed-json',
    detail: /not valid JSON/,
  },
  'an array': { body: [], type: 'invalid-request', detail: /expected a JSON object, found array/ },
  'an agent whose worker has not been ready': {
    body: { agent: 'not-started', input: 1 },
    status: 503,
    type: 'not-ready',
    detail: /worker of agent "not-started" is not ready/,
  },
  'an input that nests 100,000 deep': {
    body: `{"agent":"coordinator","input":${deep}}`,
    type: 'invalid-input',
    field: 'input',
    detail: /deeper than 64/,
  },
  'a body over 1 MiB': {
    body: { agent: 'coordinator', input: 'x'.repeat(2 ** 20) },
    status: 413,
    type: 'too-large',
    detail: /1 MiB/,
  },
}

/** Jobs in all queues. */
async function jobs(): Promise<number> {
  const counts = await Promise.all(producer.types.all.map(({ queue }) => queue.getJobCounts()))
  return counts.flatMap((each) => Object.values(each)).reduce((sum, count) => sum + count, 0)
}

describe('bad input gets an answer that names the field, and enqueues nothing', () => {
  test.each(Object.entries(cases))('%s', async (_what, { body, status = 400, type, field, detail }) => {
    const before = await jobs()
    const answer = await producer.post(body)
    expect(answer).toMatchObject({ status, body: { type, status, detail: expect.stringMatching(detail) } })
    expect(answer.body.field).toBe(field)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.headers.get('retry-after')).toBe(status === 503 ? '1' : null)
    expect(await jobs()).toBe(before)
  })

  test('another content type', async () => {
    const answer = await producer.post('a=b', { 'content-type': 'application/x-www-form-urlencoded' })
    expect(answer).toMatchObject({ status: 415, body: { type: 'unsupported-media-type' } })
  })

  test('a path that is none', async () => {
    expect(await producer.get('/v2/requests')).toMatchObject({ status: 404, body: { type: 'not-found' } })
    expect(await producer.get('/v1/requests/%zz')).toMatchObject({
      status: 400,
      body: { type: 'invalid-request' },
    })
  })

  test.each(['61s', 'soon', '-1s', ''])('a wait of "%s"', async (wait) => {
    const { body } = await producer.post(good)
    const answer = await producer.get(`${body.url}?wait=${wait}`)
    expect(answer).toMatchObject({ status: 400, body: { field: 'wait' } })
  })
})

describe('what a worker publishes cannot hold the producer up', () => {
  test('a pattern that backtracks without end costs one request, and not the process', async () => {
    const schema = { type: 'string', pattern: '^(a+)+$' }
    await publishManifest(
      producer.redis,
      producer.types.get('not-started').ref,
      testManifest('not-started', { input: schema }),
    )
    const started = performance.now()
    const answer = await producer.post({ agent: 'not-started', input: `${'a'.repeat(50)}!` })
    expect(answer).toMatchObject({ status: 400, body: { type: 'invalid-input', field: 'input' } })
    expect(answer.body.detail).toMatch(/took longer than/)
    // A second to compile it and a quarter to check, five times over for a busy machine: unbounded it takes for ever.
    expect(performance.now() - started).toBeLessThan(5 * 1250)
    expect((await producer.post({ agent: 'not-started', input: 'aaa' })).status).toBe(202)
  })

  test('a schema that cannot be compiled makes its own agent unready, and no other', async () => {
    const { ref } = producer.types.get('coordinator')
    const schema = { type: 'nonsense' }
    await publishManifest(producer.redis, ref, testManifest('coordinator', { input: schema }))
    await expect
      .poll(() => producer.post({ agent: 'coordinator', input: 1 }))
      .toMatchObject({
        status: 503,
        body: { type: 'not-ready', detail: expect.stringMatching(/schema that cannot be used/) },
      })
    expect((await producer.post(good)).status).toBe(202)
  })
})
