import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { collectSpans, textOf } from '../support/spans.ts'
import type { VaultFault } from '../support/faulty-vault.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

let world: SidecarWorld
beforeEach(async () => {
  world = await openSidecarWorld()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await world[Symbol.asyncDispose]()
})

const dropped = (user: string) =>
  expect
    .poll(() => world.sql.some((sql) => /DROP ROLE/i.test(sql) && sql.includes(user)), { timeout: 15_000 })
    .toBe(true)

describe('when something else is away', () => {
  test('Vault away: cached secrets are still served, others give a typed error', async () => {
    const { context } = await world.granted('writer')
    expect((await context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
    await world.vault[Symbol.asyncDispose]()
    expect((await context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
    expect(await context.ask('POST', '/v1/model/generate', { prompt: 'hi' })).toMatchObject({
      status: 503,
      json: { error: { type: 'secret-unavailable' } },
    })
  })

  test('I6: Vault away at the end: the answer waits 2 s, says pending, and the relay was cut at once', async () => {
    const { context, end } = await world.granted('coder')
    await context.ask('POST', '/v1/leases', { name: 'orders-db' })
    await context.connect('orders-db:0')
    await world.vault[Symbol.asyncDispose]()
    const startedAt = Date.now()
    const ending = end()
    await context.closed()
    expect(Date.now() - startedAt).toBeLessThan(1500)
    expect((await ending).json).toEqual({ revokedLeases: 0, pending: true })
    expect(Date.now() - startedAt).toBeLessThan(10_000)
  })

  test('Redis away: no grant, a typed error', async () => {
    const [context, worker, job] = await Promise.all([
      world.context('writer'),
      world.worker('writer'),
      world.job('writer'),
    ])
    world.redis.disconnect()
    expect(await worker.ask('POST', '/v1/grants', { context: context.id, ...job })).toMatchObject({
      status: 503,
      json: { error: { type: 'queue-unavailable' } },
    })
  })
})

describe('when Vault is there, and something is wrong with it', () => {
  test.each<VaultFault>(['refused', 'hanging', 'rate-limited', 'sealed', 'redirecting', 'failing', 'reset'])(
    '%s: what is cached is served, what is not is a typed error, new attempts begin, and what was leased goes with its return',
    async (fault) => {
      const long = { timeoutMs: 60_000 }
      const running = await world.granted('writer', long)
      const lessee = await world.granted('coder', long)
      expect((await running.context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
      const { user } = (await lessee.context.ask('POST', '/v1/leases', { name: 'orders-db' })).json
        .credentials

      await world.faulty.set(fault)
      const next = await world.granted('coder', long)
      const unavailable = { status: 503, json: { error: { type: 'secret-unavailable' } } }
      expect((await running.context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
      expect(await running.context.ask('POST', '/v1/model/generate', { prompt: 'hi' })).toMatchObject(
        unavailable,
      )
      expect(await next.context.ask('POST', '/v1/leases', { name: 'orders-db' })).toMatchObject(unavailable)
      expect((await lessee.end()).json).toEqual({ revokedLeases: 0, pending: true })

      await world.faulty.set(undefined)
      await dropped(user)
      await expect
        .poll(
          async () => (await running.context.ask('POST', '/v1/model/generate', { prompt: 'hi' })).status,
          { timeout: 15_000 },
        )
        .toBe(200)
    },
  )
})

describe('when a clock is set by an hour', () => {
  const HOUR_MS = 3_600_000
  const long = { timeoutMs: 60_000 }
  const lease = { name: 'orders-db' }
  const hi = { prompt: 'hi' }
  test.each([
    ['forward', HOUR_MS],
    ['back', -HOUR_MS],
  ])(
    'the sidecar’s, %s: running attempts go on as they were and end in their time, new ones begin',
    async (_, by) => {
      const running = await world.granted('writer', long)
      const lessee = await world.granted('coder', long)
      const leased = (await lessee.context.ask('POST', '/v1/leases', lease)).json
      expect((await running.context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
      const [reads, mints] = [world.reads(), world.identity.minted]
      const machine = Date.now.bind(Date)
      const askedAt = machine()
      const short = await world.granted('writer', { timeoutMs: 1000 })
      const ended = short.context.closed().then(machine)
      vi.spyOn(Date, 'now').mockImplementation(() => machine() + by)

      expect((await running.context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
      expect((await lessee.context.ask('POST', '/v1/leases', lease)).json).toEqual(leased)
      expect([world.reads(), world.identity.minted]).toEqual([reads, mints])
      expect((await running.context.ask('POST', '/v1/model/generate', hi)).status).toBe(200)
      const next = await world.granted('coder', long)
      expect((await next.context.ask('POST', '/v1/leases', lease)).status).toBe(200)
      // Its time and a second.
      expect((await ended) - askedAt).toBeGreaterThan(1900)
      expect((await ended) - askedAt).toBeLessThan(10_000)
      expect((await lessee.end()).json).toEqual({ revokedLeases: 1 })
      await dropped(leased.credentials.user)
      expect(world.identity.lost.aborted).toBe(false)
    },
  )

  test('Vault’s, forward: what is cached is served, all else is a typed error that passes, the sidecar is lost at once, users go at their TTL', async () => {
    await world[Symbol.asyncDispose]()
    world = await openSidecarWorld({ ttlMs: 5000 })
    const running = await world.granted('writer', long)
    const lessee = await world.granted('coder', long)
    expect((await running.context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
    const { user } = (await lessee.context.ask('POST', '/v1/leases', lease)).json.credentials
    const setAt = Date.now()
    world.vaultClock.set(HOUR_MS)
    const next = await world.granted('coder', long)
    const unavailable = { status: 503, json: { error: { type: 'secret-unavailable' } } }
    expect((await running.context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
    expect(await running.context.ask('POST', '/v1/model/generate', hi)).toMatchObject(unavailable)
    expect(await next.context.ask('POST', '/v1/leases', lease)).toMatchObject(unavailable)
    await expect.poll(() => world.identity.lost.aborted).toBe(true)
    expect(Date.now() - setAt).toBeLessThan(10_000)
    expect((await lessee.end()).status).toBe(200)
    await dropped(user)
  })

  test('Vault’s, back: nothing is noticed, and what was leased still goes with its attempt', async () => {
    const running = await world.granted('writer', long)
    const lessee = await world.granted('coder', long)
    const { user } = (await lessee.context.ask('POST', '/v1/leases', lease)).json.credentials
    world.vaultClock.set(-HOUR_MS)
    const next = await world.granted('coder', long)
    expect((await running.context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
    expect((await running.context.ask('POST', '/v1/model/generate', hi)).status).toBe(200)
    expect((await next.context.ask('POST', '/v1/leases', lease)).status).toBe(200)
    expect((await lessee.end()).json).toEqual({ revokedLeases: 1 })
    await dropped(user)
    expect(world.identity.lost.aborted).toBe(false)
  })
})

test('I10: chat, secret and revocation are spans of the attempt’s trace, under the span that the context names', async () => {
  await using seen = await collectSpans()
  const { context, end, job } = await world.granted('coder')
  const traceId = job.traceparent.split('-')[1]!
  const mine = `00-${traceId}-00f067aa0ba902b7-01`
  const foreign = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  await context.ask('POST', '/v1/model/generate', { prompt: 'hi' }, { traceparent: mine })
  await context.ask('POST', '/v1/model/generate', { prompt: 'hi' }, { traceparent: foreign })
  await context.ask('POST', '/v1/leases', { name: 'orders-db' }, { traceparent: mine })
  await end()
  const spans = seen.spans()
  expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]))
  const parents = (name: string) =>
    spans.filter((span) => span.name === name).map((span) => span.parentSpanContext?.spanId)
  expect(parents('chat gpt-4-turbo')).toEqual(['00f067aa0ba902b7', 'b7ad6b7169203331'])
  expect(parents('lease orders-db')).toEqual(['00f067aa0ba902b7'])
  expect(parents('revoke')).toEqual(['b7ad6b7169203331'])
  expect(parents('secret.read openai-api-key')).toHaveLength(2)
  expect(spans.find((span) => span.name === 'chat gpt-4-turbo')!.attributes).toMatchObject({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-4-turbo',
    'gen_ai.response.model': 'gpt-4-turbo',
    'gen_ai.usage.output_tokens': expect.any(Number),
  })
  expect(textOf(spans)).not.toMatch(/canary-|Thank you/)
})
