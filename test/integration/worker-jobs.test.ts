import { generateKeyPairSync } from 'node:crypto'
import { SpanStatusCode } from '@opentelemetry/api'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readManifest, readWorkers } from '#lib/queue'
import { collectSpans } from '../support/spans.ts'
import { until } from '../support/tiny-service.ts'
import { WorkerWorld } from '../support/worker-world.ts'

let world: WorkerWorld
beforeAll(async () => {
  world = await WorkerWorld.open()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(() => {
  world.gates.most = 0
})

describe('an attempt ends as its agent says', () => {
  test('a completed one gives its result, after one attempt in a context of its own (I1)', async () => {
    await using _worker = await world.openWorker('gated')
    const views = await Promise.all([1, 2, 3].map(async (n) => world.ended(await world.add('gated', { n }))))
    expect(views.map(({ outcome, attempts, result }) => ({ outcome, attempts, result }))).toEqual(
      [1, 2, 3].map((n) => ({
        outcome: 'completed',
        attempts: 1,
        result: { n, attempt: 1, tenant: 'acme' },
      })),
    )
    const contexts = views.map((view) => (view.receipt as { context: string }).context)
    expect(new Set(contexts).size).toBe(3)
    expect(views.map((view) => (view.receipt as { reuse: number }).reuse)).toEqual([0, 0, 0])
  })

  test('a failing one is attempted as often as its type says, each attempt with its own record', async () => {
    await using _worker = await world.openWorker('gated')
    const view = await world.ended(await world.add('gated', { throws: 'plain' }))
    expect(view).toMatchObject({ outcome: 'failed', attempts: 2, error: { type: 'TypeError' } })
    expect(view.attemptRecords.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
    ])
    expect(view.attemptRecords[0]!.error!.stack).toContain('agents/gated.ts:')
    const [first, second] = view.attemptRecords
    expect(second!.queuedMs).toBe(second!.startedAt - first!.endedAt)
  })

  test('one that calls its failure permanent is attempted once', async () => {
    await using _worker = await world.openWorker('gated')
    const view = await world.ended(await world.add('gated', { throws: 'permanent' }))
    expect(view).toMatchObject({
      outcome: 'failed',
      attempts: 1,
      error: { type: 'no-such-order', message: 'order 7' },
    })
  })

  test('input that its schema refuses is attempted once', async () => {
    await using _worker = await world.openWorker('gated')
    const view = await world.ended(await world.add('gated', { throws: 7 }))
    expect(view).toMatchObject({ outcome: 'failed', attempts: 1, error: { type: 'invalid-input' } })
  })

  test('its process span tells the outcome: ERROR with the error’s type, or none', async () => {
    await using seen = await collectSpans()
    await using _worker = await world.openWorker('gated')
    await world.ended(await world.add('gated', { throws: 'permanent' }))
    await world.ended(await world.add('gated', {}))
    const spans = () => seen.spans().filter(({ name }) => name === 'process gated')
    // A job has ended in Redis a moment before its span.
    await expect
      .poll(() => spans().map(({ status, attributes }) => [status.code, attributes['error.type']]))
      .toEqual([
        [SpanStatusCode.ERROR, 'no-such-order'],
        [SpanStatusCode.UNSET, undefined],
      ])
    expect(JSON.stringify(spans().map(({ events, attributes }) => [events, attributes]))).not.toContain(
      'order 7',
    )
  })
})

async function changed(): Promise<string> {
  const id = await world.add('gated', { n: 1 })
  await using queue = world.queue('gated')
  const job = (await queue.queue.getJob(id))!
  await job.updateData({ ...job.data, input: { n: 2 } })
  return id
}

describe('I5: a job that no producer signed never enters a context, and its record says why', () => {
  const otherKey = generateKeyPairSync('ed25519').privateKey
  const refused: [what: string, type: string, add: () => Promise<string>][] = [
    ['unsigned', 'unsigned', () => world.addPlain('gated', { input: {} })],
    ['signed by another key', 'forged', () => world.add('gated', {}, { signingKey: otherKey })],
    ['changed in Redis', 'forged', changed],
    ['past its expiry', 'expired', () => world.add('gated', {}, { expiresAt: Date.now() - 1 })],
    ['that is no envelope', 'invalid-job', () => world.addPlain('gated', { v: 1, input: {} })],
    ['that is no object', 'unsigned', () => world.addPlain('gated', 'garbage')],
    ['without the input', 'invalid-job', () => world.addPlain('open', { prompt: 'hi' })],
  ]
  test.each(refused)('a job %s: %s', async (_what, type, add) => {
    const id = await add()
    await using _worker = await world.openWorker(id.split('.')[0]!)
    const view = await world.ended(id)
    expect(view).toMatchObject({ outcome: 'failed', attempts: 1, error: { type } })
    expect(view.attemptRecords).toMatchObject([
      { attempt: 1, outcome: 'failed', error: { type }, receipt: null },
    ])
    expect(view.error!.message.length).toBeGreaterThan(20)
  })

  test('a job of plain BullMQ is attempted no more often than its type says', async () => {
    await using _worker = await world.openWorker('open')
    const id = await world.addPlain('open', { input: { throws: 'plain' } }, { attempts: 50 })
    expect(await world.ended(id)).toMatchObject({ outcome: 'failed', attempts: 2 })
  })

  test('a job of plain BullMQ runs where its type accepts it, as nobody’s, and is not kept for ever', async () => {
    await using _worker = await world.openWorker('open')
    const id = await world.addPlain('open', { input: { n: 1 } })
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed', result: { tenant: 'unsigned' } })
    // BullMQ removes what is too old when another job ends.
    await world.redis.hset(world.queueOf('open').key(id), 'finishedOn', 1)
    await world.redis.zadd(world.queueOf('open').key('completed'), 1, id)
    await world.ended(await world.addPlain('open', { input: { n: 2 } }))
    expect(await world.redis.exists(world.queueOf('open').key(id))).toBe(0)
  })
})

/** Lets attempts through one by one, each once all that may run at once do. */
async function passAll(agentType: string, count: number, atOnce: number): Promise<void> {
  const { gates } = world
  const ids = await Promise.all(Array.from({ length: count }, (_, n) => world.add(agentType, { gate: n })))
  for (let left = count; left > 0; left--) {
    await until(`${atOnce} inside`, () => gates.inside === Math.min(atOnce, left), 30_000)
    gates.passOne()
  }
  for (const id of ids) expect(await world.ended(id)).toMatchObject({ outcome: 'completed' })
  expect(gates.most).toBe(atOnce)
}

describe('I2: no more attempts at once than the cluster file allows', () => {
  test('max-concurrency holds over two workers of a type', async () => {
    await using _one = await world.openWorker('gated')
    await using _two = await world.openWorker('gated')
    await passAll('gated', 8, 3)
  })

  test('a worker takes no more than its slots', async () => {
    await using _worker = await world.openWorker('gated', { slots: 2 })
    await passAll('gated', 5, 2)
  })

  test('a singleton runs one attempt at a time, whichever of its workers runs it', async () => {
    await using _one = await world.openWorker('counter')
    await using _two = await world.openWorker('counter')
    await passAll('counter', 4, 1)
  })
})

describe('what a worker says of itself', () => {
  test('its manifest, schemas from a describe run included, is there before it is ready', async () => {
    await using _worker = await world.openWorker('other', { slots: 5 })
    const manifest = await readManifest(world.redis, world.queueOf('other'))
    expect(manifest).toMatchObject({ agentType: 'other', slots: 5, attempts: 2, timeoutMs: 20_000 })
    expect(manifest!.input).toMatchObject({ properties: { throws: { enum: ['plain', 'permanent'] } } })
    await using queue = world.queue('other')
    expect(await queue.queue.getGlobalConcurrency()).toBe(world.cluster.agents['other']!.maxConcurrency)
  })

  test('its heartbeat shows slots and active attempts, and is withdrawn when it ends', async () => {
    const workers = () => readWorkers(world.redis, world.queueOf('gated'))
    await using worker = await world.openWorker('gated', { slots: 2 })
    await expect.poll(workers).toMatchObject([{ pid: process.pid, slots: 2, active: 0, level: worker.level }])
    const id = await world.add('gated', { gate: 'beat' })
    await expect.poll(workers).toMatchObject([{ active: 1 }])
    world.gates.pass('beat')
    await world.ended(id)
    await worker[Symbol.asyncDispose]()
    expect(await workers()).toEqual([])
  })
})
