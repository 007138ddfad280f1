import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { collectSpans } from '../support/spans.ts'
import { API_KEY, WorkerWorld } from '../support/worker-world.ts'

let world: WorkerWorld
beforeAll(async () => {
  world = await WorkerWorld.open()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(() => {
  world.gates.refuse = undefined
})

const caught = async (input: object) =>
  ((await world.ended(await world.add('gated', { catches: true, ...input }))).result as { passed: unknown })
    .passed

describe('ctx.call goes through the producer', () => {
  test('with the worker’s key, the parent’s job, and the span that calls', async () => {
    await using seen = await collectSpans()
    await using _worker = await world.openWorker('gated')
    const id = await world.add('gated', { gate: 'ok' })
    world.gates.pass('ok', { outcome: 'completed', result: { rows: 3 } })
    expect(await world.ended(id)).toMatchObject({ result: { passed: { rows: 3 } } })
    const [posted] = world.gates.at('ok')
    expect(posted).toMatchObject({ agent: 'other', authorization: `Bearer ${API_KEY}`, parent: { id } })
    expect(posted!.parent.job).toMatchObject({ tenant: 'acme', signature: expect.any(String) })
    const gate = seen.spans().find(({ name }) => name === 'gate')!
    const { traceId, spanId } = gate.spanContext()
    expect(posted!.traceparent).toMatch(`00-${traceId}-${spanId}-`)
    const spans = new Map(seen.spans().map((span) => [span.spanContext().spanId, span]))
    expect(spans.get(gate.parentSpanContext!.spanId)?.name).toBe('invoke_agent gated')
  })

  test('a callee that failed is told by its type and message', async () => {
    await using _worker = await world.openWorker('gated')
    world.gates.pass('bad', { outcome: 'failed', error: { type: 'no-such-order', message: 'order 8' } })
    world.gates.pass('slow', { outcome: 'timed-out', error: { type: 'timed-out', message: 'after 1 s' } })
    expect(await caught({ gate: 'bad' })).toEqual({
      name: 'AgentCallError',
      type: 'no-such-order',
      message: 'order 8',
    })
    expect(await caught({ gate: 'slow' })).toMatchObject({ type: 'timed-out' })
  })

  test('a refusal is told in the producer’s words', async () => {
    await using _worker = await world.openWorker('gated')
    world.gates.refuse = { status: 403, body: '{"detail":"gated may not call other"}' }
    expect(await caught({ gate: 'denied' })).toMatchObject({
      type: 'call-refused',
      message: 'gated may not call other',
    })
  })

  test('a producer that comes back in time is asked again, as the same request', async () => {
    await using _worker = await world.openWorker('gated')
    const id = await world.add('gated', { gate: 'again' })
    await world.gates.arrived('again')
    await world.gates.stop()
    await world.gates.start()
    world.gates.pass('again')
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed', attempts: 1 })
    const keys = world.gates.at('again').map((posted) => posted.idempotencyKey)
    expect(new Set(keys).size).toBe(1)
  })

  test('a producer that stays away fails the call by a type, not the worker', async () => {
    await using _worker = await world.openWorker('gated', { producerUrl: 'http://127.0.0.1:1' })
    expect(await caught({ gate: 'nobody' })).toMatchObject({
      name: 'AgentCallError',
      type: 'call-failed',
      message: expect.stringContaining('cannot be reached'),
    })
  })
})

const count = async (tenant: string) => (await world.ended(await world.add('counter', {}, { tenant }))).result

describe('ctx.memory of a singleton', () => {
  test('lasts from request to request, for each tenant alone', async () => {
    await using _worker = await world.openWorker('counter')
    expect([await count('one'), await count('one'), await count('two'), await count('one')]).toEqual([
      1, 2, 1, 3,
    ])
    const ttl = await world.redis.pttl(world.queueOf('counter').key('tb:memory:one'))
    expect(ttl).toBeGreaterThan(50_000)
    expect(ttl).toBeLessThanOrEqual(60_000)
  })

  test('an attempt whose memory was changed meanwhile fails, and counts on what is there when it is attempted again', async () => {
    await using _worker = await world.openWorker('counter')
    const id = await world.add('counter', { gate: 'memory' }, { tenant: 'three' })
    await world.gates.arrived('memory')
    await world.redis.set(world.queueOf('counter').key('tb:memory:three'), '{"count":41}', 'PX', 60_000)
    world.gates.pass('memory')
    const view = await world.ended(id)
    expect(view.attemptRecords).toMatchObject([
      { outcome: 'failed', error: { type: 'memory-conflict' } },
      { outcome: 'completed' },
    ])
    expect(view.result).toBe(42)
  })
})
