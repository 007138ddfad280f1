import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { attribute } from '#lib/telemetry'
import { CANCELLED, CancelWorld, type How, SLACK_MS } from '../support/cancel-world.ts'
import { collectSpans } from '../support/spans.ts'
import { isAlive, until } from '../support/tiny-service.ts'
import type { WorkerProcess, WorkerWorld } from '../support/worker-world.ts'
import { openProducer, type WorldProducer } from '../support/world-producer.ts'

let world: CancelWorld
let workers: WorkerWorld
let producer: WorldProducer
beforeAll(async () => {
  world = await CancelWorld.open()
  ;({ workers, producer } = world)
})
afterEach(() => world.killWorkers())
afterAll(() => world[Symbol.asyncDispose]())

describe('DELETE of a request that waits', () => {
  test('ends it at once, without an attempt, and wakes whoever waits for it', async () => {
    const id = await workers.add('held', {})
    const waiting = producer.get(id, '30s')
    await until('somebody waits', () => producer.waiting() === 1)
    const { status, body } = await producer.cancel(id)
    expect(status).toBe(200)
    expect(body).toMatchObject({ ...CANCELLED, attempts: 0, attemptRecords: [] })
    expect((await waiting).body).toEqual(body)
    expect(await producer.cancel(id)).toEqual({ status: 200, body })
  })

  test('between two attempts: no further one is made', async () => {
    await world.spawnWorker()
    const gate = world.newGate()
    const id = await workers.add('held', { gate, how: 'throws' })
    await workers.gates.arrived(gate)
    await using queue = workers.queue('held')
    await queue.queue.pause()
    workers.gates.pass(gate)
    await expect.poll(async () => (await producer.get(id)).body.state).toBe('waiting')
    expect((await producer.cancel(id)).body).toMatchObject({
      ...CANCELLED,
      attemptRecords: [{ outcome: 'failed', error: { type: 'TypeError' } }],
    })
    await queue.queue.resume()
    const { id: next } = await world.running('throws')
    expect((await producer.get(next, '30s')).body).toMatchObject({ outcome: 'failed', attempts: 2 })
    expect(world.times(gate)).toBe(1)
  })
})

describe('I2: DELETE of a request that runs cuts its attempt', () => {
  let worker: WorkerProcess
  beforeAll(async () => {
    worker = await workers.spawnWorker('held', { slots: 2, spares: 2 })
  })
  afterAll(() => worker[Symbol.asyncDispose]())

  test('which is told by its signal, and may end by itself', async () => {
    const { id, gate } = await world.running('obeys')
    const { status, body } = await producer.cancel(id)
    expect(status).toBe(202)
    expect(body).toMatchObject({ state: 'running', cancelledAt: expect.any(Number) })
    const { body: view } = await producer.get(id, '30s')
    expect(view).toMatchObject({
      ...CANCELLED,
      attempts: 1,
      attemptRecords: [{ outcome: 'cancelled', error: { type: 'cancelled' } }],
      receipt: { endedBy: 'aborted', leftOver: { processes: 0 }, reuse: 0 },
    })
    await using queue = workers.queue('held')
    expect((await queue.queue.getJobLogs(id)).logs).toEqual(['{"reason":"cancelled"}'])
    expect(world.times(gate)).toBe(1)
  })

  test.each<How>(['spins', 'ignores'])('which is killed after the grace where it %s', async (how) => {
    const { id, gate } = await world.running(how)
    const started = performance.now()
    const before = worker.below()
    await producer.cancel(id)
    const { body } = await producer.get(id, '30s')
    expect(performance.now() - started).toBeLessThan(SLACK_MS)
    expect(body).toMatchObject({
      ...CANCELLED,
      receipt: { signal: 'SIGKILL', leftOver: { processes: 0 }, endedBy: 'aborted' },
    })
    expect(before.some((pid) => !isAlive(pid))).toBe(true)
    expect(world.times(gate)).toBe(1)
  })

  test('twice is once; of one that has ended it changes nothing', async () => {
    const { id } = await world.running('spins')
    // It hears of neither before both are answered.
    worker.kill('SIGSTOP')
    const [first, second] = [await producer.cancel(id), await producer.cancel(id)]
    worker.kill('SIGCONT')
    expect(second).toEqual(first)
    const { body } = await producer.get(id, '30s')
    expect(await producer.cancel(id)).toEqual({ status: 200, body })
    const { id: failing } = await world.running('throws')
    const failed = (await producer.get(failing, '30s')).body
    expect(failed).toMatchObject({ outcome: 'failed' })
    expect(await producer.cancel(failing)).toEqual({ status: 200, body: failed })
  })

  test('40 times: p99 from the DELETE to the slot free and the outcome readable', async () => {
    const took: Record<string, number[]> = { obeys: [], spins: [] }
    for (let n = 0; n < 20; n++) {
      for (const how of ['obeys', 'spins'] as const) {
        const { id } = await world.running(how)
        const started = performance.now()
        await producer.cancel(id)
        expect((await producer.get(id, '30s')).body).toMatchObject(CANCELLED)
        took[how]!.push(performance.now() - started)
      }
    }
    for (const [how, all] of Object.entries(took)) {
      const sorted = all.toSorted((a, b) => a - b).map((ms) => Math.round(ms))
      console.info(`cancel, ${how}: p50 ${sorted[10]} ms, slowest of 20 ${sorted.at(-1)} ms`)
      expect(sorted.at(-1)).toBeLessThan(SLACK_MS)
    }
  })
})

describe('only who may read a request may cancel it', () => {
  test('another tenant, a worker that did not call it and an unknown id get the same 404', async () => {
    const id = await workers.add('held', {})
    const answers = [
      await producer.cancel(id, 'rival'),
      await producer.cancel(id, 'worker'),
      await producer.cancel(`held.${'0'.repeat(32)}`),
      await producer.cancel('held.1'),
    ]
    expect(answers.map(({ status, body }) => [status, body.type])).toEqual(
      answers.map(() => [404, 'not-found']),
    )
    expect((await producer.get(id)).body).toMatchObject({ state: 'waiting' })
    await producer.cancel(id)
  })

  test('the workers of a type may cancel what that type has called', async () => {
    const id = await workers.add('held', {}, { chain: ['coordinator', 'gated'] })
    expect(await producer.cancel(id, 'worker')).toMatchObject({ status: 200, body: CANCELLED })
  })

  test('a job of plain BullMQ is nobody’s', async () => {
    const id = await workers.addPlain('open', { input: {} }, { jobId: `open.${'a'.repeat(32)}` })
    expect((await producer.cancel(id)).status).toBe(404)
  })
})

describe('I10: the trace tells of a cancel', () => {
  test('the attempt’s span has the outcome, and the span of the DELETE leads to the trace', async () => {
    await using seen = await collectSpans()
    await using traced = await openProducer(workers)
    await using _worker = await workers.openWorker('held')
    const gate = world.newGate()
    workers.gates.pass(gate)
    const answer = await fetch(`${traced.url}/v1/requests`, {
      method: 'POST',
      headers: { authorization: `Bearer ${traced.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ agent: 'held', input: { gate, how: 'obeys' } }),
    })
    const { id, traceId } = (await answer.json()) as { id: string; traceId: string }
    await workers.gates.arrived(gate)
    await traced.cancel(id)
    expect((await traced.get(id, '30s')).body).toMatchObject(CANCELLED)
    const spanOf = (name: string) => seen.spans().find((span) => span.name === name)
    // It ends after the end that it tells of, which is what we have waited for.
    await expect.poll(() => spanOf('process held')).toBeDefined()
    const processed = spanOf('process held')!
    expect(processed.spanContext().traceId).toBe(traceId)
    expect(processed.attributes).toMatchObject({
      [attribute.outcome]: 'cancelled',
      [attribute.errorType]: 'cancelled',
    })
    const deleted = spanOf('DELETE /v1/requests/:id')!
    expect(deleted.spanContext().traceId).not.toBe(traceId)
    expect(deleted.links.map(({ context }) => context.traceId)).toEqual([traceId])
    expect(deleted.attributes).toMatchObject({ [attribute.requestId]: id, [attribute.httpStatus]: 202 })
  })
})
