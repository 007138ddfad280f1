import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lockKey, traceIdOf } from '#lib/queue'
import { attribute } from '#lib/telemetry'
import { KEYS, startProducer, type TestProducer } from '../../support/producer.ts'
import { startRedis, type TestRedis } from '../../support/queue-redis.ts'
import { collectSpans, textOf } from '../../support/spans.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`
const worker = { authorization: `Bearer ${KEYS.coordinator}` }
const good = { agent: 'writer', input: { question: 'why?' } }

let redis: TestRedis
let producer: TestProducer
let seen: Awaited<ReturnType<typeof collectSpans>>
beforeAll(async () => {
  seen = await collectSpans('producer')
  redis = await startRedis()
  producer = await startProducer(redis)
})
afterAll(async () => {
  await producer.close()
  await redis[Symbol.asyncDispose]()
  await seen[Symbol.asyncDispose]()
})

/** A request to the coordinator whose attempt is running: its id and data, as the coordinator's worker holds them. */
async function runningParent({ isRunning = true, metadata = {} } = {}) {
  const { body } = await producer.post({ agent: 'coordinator', input: { a: 1 }, metadata })
  const { queue, ref } = producer.types.get('coordinator')
  if (isRunning) await producer.redis.set(lockKey(ref, body.id), 'token')
  return { id: body.id as string, job: (await queue.getJob(body.id))!.data }
}

describe('a call from agent to agent', () => {
  test('carries tenant, caller and chain of the parent, which end no later than it', async () => {
    const parent = await runningParent()
    const { status, body } = await producer.post({ ...good, parent }, worker)
    expect(status).toBe(202)
    const { data } = (await producer.writer.queue.getJob(body.id))!
    expect(data).toMatchObject({ tenant: 'acme', caller: 'shop', chain: ['coordinator'] })
    expect(data.expiresAt).toBe(parent.job.expiresAt)
  })

  test('is seen by the calling worker and by the tenant that it serves, and by no one else', async () => {
    const parent = await runningParent()
    const { body } = await producer.post({ ...good, parent }, worker)
    expect((await producer.get(body.url, KEYS.coordinator)).status).toBe(200)
    expect((await producer.get(body.url, KEYS.shop)).status).toBe(200)
    expect((await producer.get(body.url, KEYS.other)).status).toBe(404)
    const foreign = await producer.post(good)
    expect((await producer.get(foreign.body.url, KEYS.coordinator)).status).toBe(404)
  })

  test('uses the idempotency keys of its parent alone', async () => {
    const [one, two] = [await runningParent(), await runningParent()]
    const body = { ...good, idempotencyKey: 'k' }
    const answers = []
    for (const parent of [one, one, two]) answers.push(await producer.post({ ...body, parent }, worker))
    answers.push(await producer.post(body))
    const ids = answers.map(({ body }) => body.id)
    expect(ids[0]).toBe(ids[1])
    expect(new Set(ids).size).toBe(3)
  })

  const refused: Record<string, [() => Promise<object>, Record<string, string>, RegExp]> = {
    'without a parent': [async () => good, worker, /must name the parent/],
    'with an ordinary key': [
      async () => ({ ...good, parent: await runningParent() }),
      {},
      /only the key of a worker/,
    ],
    'to a type that may-call does not list': [
      async () => ({ agent: 'coordinator', input: 1, parent: await runningParent() }),
      worker,
      /may not call "coordinator"/,
    ],
    'for a job that nobody runs': [
      async () => ({ ...good, parent: await runningParent({ isRunning: false }) }),
      worker,
      /no attempt of the parent job is running/,
    ],
    'for a job under another id': [
      async () => ({ ...good, parent: { ...(await runningParent()), id: (await runningParent()).id } }),
      worker,
      /not what a producer signed/,
    ],
    'for a job with another tenant written in': [
      async () => {
        const { id, job } = await runningParent()
        return { ...good, parent: { id, job: { ...job, tenant: 'rival' } } }
      },
      worker,
      /not what a producer signed/,
    ],
    'for an unsigned job, where its type takes none': [
      async () => ({ ...good, parent: { id: 'coordinator.1', job: { input: 1 } } }),
      worker,
      /no signature/,
    ],
    'for a job of another agent type': [
      async () => {
        const { body } = await producer.post(good)
        const job = (await producer.writer.queue.getJob(body.id))!.data
        return { ...good, parent: { id: body.id, job } }
      },
      worker,
      /not what a producer signed/,
    ],
  }
  test.each(Object.entries(refused))('is refused %s', async (_what, [body, headers, detail]) => {
    const answer = await producer.post(await body(), headers)
    expect(answer).toMatchObject({ status: 403, body: { type: 'forbidden', field: 'parent' } })
    expect(answer.body.detail).toMatch(detail)
  })
})

describe('I10: one trace', () => {
  test('the answer names the trace of the server span, under which the job was sent', async () => {
    const { body } = await producer.post(good)
    expect(body.traceId).toMatch(/^[0-9a-f]{32}$/)
    const spans = seen.spans().filter((span) => span.spanContext().traceId === body.traceId)
    const [send, server] = spans
    expect(spans.map(({ name }) => name)).toEqual(['send writer', 'POST /v1/requests'])
    expect(send!.parentSpanContext?.spanId).toBe(server!.spanContext().spanId)
    expect(server!.attributes).toMatchObject({
      [attribute.httpStatus]: 202,
      [attribute.httpRoute]: '/v1/requests',
    })
    const job = await producer.writer.queue.getJob(body.id)
    expect(traceIdOf(job!)).toBe(body.traceId)
    expect((await producer.get(body.url)).body.traceId).toBe(body.traceId)
  })

  test("a caller's traceparent is linked, never a parent: nobody writes into a trace that is not theirs", async () => {
    const { body } = await producer.post(good, { traceparent })
    expect(body.traceId).not.toBe(TRACE)
    const server = seen
      .spans()
      .find((span) => span.name.startsWith('POST') && span.spanContext().traceId === body.traceId)
    expect(server!.links.map(({ context }) => context.traceId)).toEqual([TRACE])
  })

  test("a worker's traceparent is the parent: a call continues the trace", async () => {
    const parent = await runningParent()
    const { body } = await producer.post({ ...good, parent }, { ...worker, traceparent })
    expect(body.traceId).toBe(TRACE)
  })

  test('the same idempotency key answers with the trace of the request that exists', async () => {
    const first = await producer.post({ ...good, idempotencyKey: 'trace' })
    const second = await producer.post({ ...good, idempotencyKey: 'trace' })
    expect(second.body).toEqual(first.body)
  })

  test('a refused request leaves a span that says why, and no input is in any span', async () => {
    await producer.post({ agent: 'writer', input: { question: ['canary-7f'] }, metadata: { m: 'canary-7f' } })
    const refusedSpan = seen.spans().findLast(({ name }) => name === 'POST /v1/requests')
    expect(refusedSpan!.attributes).toMatchObject({
      [attribute.httpStatus]: 400,
      [attribute.errorType]: 'invalid-input',
    })
    expect(textOf(seen.spans())).not.toContain('canary-7f')
  })
})
