import { publishPromotion, readRevocations } from '#lib/queue'
import { silentLog } from '#lib/runtime'
import { markRevoked, vaultPath } from '#lib/vault'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SharedRevocations } from '../../services/sidecar/shared-revocations.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
/** The issue says 1 s; on a machine that others use, five times that. */
const SOON_MS = 5000
let world: SidecarWorld
beforeEach(async () => {
  world = await openSidecarWorld()
})
afterEach(() => world[Symbol.asyncDispose]())

type Target = Parameters<SidecarWorld['sidecar']['revocations']['revoke']>[0]['target']
const revoke = (target: Target, keepRunning = false) =>
  world.sidecar.revocations.revoke({ target, keepRunning, operator: 'eve' })
type Context = Awaited<ReturnType<SidecarWorld['granted']>>['context']
const plain = (context: Context) => context.ask('GET', '/v1/secrets/plain')
const generate = (context: Context) => context.ask('POST', '/v1/model/generate', { prompt: 'hi' })

/** Attempts that have used the secret `plain`, a leased database user, and nothing; granted in this order. */
async function threeAttempts() {
  const reader = await world.granted('writer')
  const lessee = await world.granted('coder')
  const idle = await world.granted('writer')
  expect((await plain(reader.context)).status).toBe(200)
  expect((await lessee.context.ask('POST', '/v1/leases', { name: 'orders-db' })).status).toBe(200)
  return { reader, lessee, idle }
}

describe('I6 what an operator revokes', () => {
  test('a secret: attempts that held it lose their grant, the others go on, and nobody is given it again', async () => {
    const { reader, lessee, idle } = await threeAttempts()
    const begunAt = performance.now()
    const done = await revoke({ secret: 'plain', generation: 1 })
    await reader.context.closed()
    expect(performance.now() - begunAt).toBeLessThan(SOON_MS)
    expect(done.attempts).toEqual([
      { agentType: 'writer', requestId: reader.job.jobId, attempt: 1, traceId: TRACE, secrets: ['plain'] },
    ])
    expect(await plain(idle.context)).toMatchObject({
      status: 403,
      json: { error: { type: 'secret-revoked' } },
    })
    expect((await generate(idle.context)).status).toBe(200)
    expect((await generate(lessee.context)).status).toBe(200)
  })

  test('a secret that is brokered: calls under way are cut, the next is refused within a second', async () => {
    const [busy, next] = await Promise.all([world.granted('writer'), world.granted('writer')])
    expect((await generate(busy.context)).status).toBe(200)
    const hanging = busy.context.ask('POST', '/v1/model/generate', { prompt: '[[stand-in:hang]]' })
    const cut = expect(hanging).rejects.toThrow()
    const begunAt = performance.now()
    await revoke({ secret: 'anthropic-api-key', generation: 1 })
    const { status, json } = await generate(next.context)
    const refusedMs = performance.now() - begunAt
    expect([status, json.error.type]).toEqual([403, 'secret-revoked'])
    expect(refusedMs).toBeLessThan(SOON_MS)
    await cut
  })

  test('a fresh generation is given at once, to attempts that ran through it as well', async () => {
    const { reader, idle } = await threeAttempts()
    await revoke({ secret: 'plain', generation: 1 }, true)
    for (const { context } of [reader, idle]) expect((await plain(context)).status).toBe(403)
    const value = 'canary-another-value-0123'
    const generation = await world.client.kvWrite(world.rootToken, world.names.secret('plain'), { value })
    await publishPromotion(world.redis, world.scope, { secret: 'plain', generation })
    for (const { context } of [reader, idle])
      await expect.poll(async () => (await plain(context)).json.value, { interval: 5 }).toBe(value)
  })

  test('a secret of which no generation is named: others are told which, since they may hear it after the next', async () => {
    const { redis, scope, channel } = world
    const { revocations } = world.sidecar
    const sharing = { revocations, redis, scope, channel, after: undefined, log: silentLog }
    await using shared = await SharedRevocations.open(sharing)
    const revokePlain = () =>
      shared.revoke({ target: { secret: 'plain' }, keepRunning: true, operator: 'eve' })
    const { context } = await world.granted('writer')
    await revokePlain()
    expect((await plain(context)).status).toBe(200)
    await revokePlain()
    expect((await plain(context)).json.error.type).toBe('secret-revoked')
    const { notices } = await readRevocations(redis, scope)
    expect(notices.map(({ target }) => target)).toEqual([
      { secret: 'plain', generation: 0 },
      { secret: 'plain', generation: 1 },
    ])
  })

  test('what is noted in Vault is refused by a sidecar that was told nothing', async () => {
    const { client, rootToken: token, names } = world
    await markRevoked(client, token, { names, name: 'plain', generation: 1 })
    const { context } = await world.granted('writer')
    expect((await plain(context)).json.error.type).toBe('secret-revoked')
    await client.kvWrite(token, names.secret('plain'), { value: 'canary-another-value-0123' })
    world.reader.forget('plain')
    expect((await plain(context)).status).toBe(200)
  })

  test('a leased secret: its users are dropped and their attempts end; kept running, only their users are gone', async () => {
    const { lessee, reader } = await threeAttempts()
    const kept = await revoke({ secret: 'orders-db' }, true)
    expect([kept.revokedLeases, kept.attempts.length]).toEqual([1, 1])
    await expect.poll(() => world.sql.some((statement) => /DROP ROLE/i.test(statement))).toBe(true)
    expect((await generate(lessee.context)).status).toBe(200)
    expect((await lessee.context.ask('POST', '/v1/leases', { name: 'orders-db' })).status).toBe(403)
    await revoke({ secret: 'orders-db' })
    await lessee.context.closed()
    expect((await plain(reader.context)).status).toBe(200)
  })

  test('a value that an attempt used and is kept running without: its leases stay', async () => {
    const { lessee } = await threeAttempts()
    expect((await generate(lessee.context)).status).toBe(200)
    const kept = await revoke({ secret: 'openai-api-key', generation: 1 }, true)
    expect([kept.revokedLeases, kept.attempts.length]).toEqual([0, 1])
    expect((await generate(lessee.context)).json.error.type).toBe('secret-revoked')
    expect((await lessee.context.ask('POST', '/v1/leases', { name: 'orders-db' })).status).toBe(200)
  })

  test('an agent type: all its attempts end, its token too, and no other type notices', async () => {
    const { reader, lessee, idle } = await threeAttempts()
    const accessors = vaultPath('auth', 'token', 'accessors')
    const tokens = async () => (await world.client.inventory.names(world.rootToken, accessors)).length
    const before = await tokens()
    expect((await revoke({ agentType: 'writer' })).attempts).toHaveLength(2)
    await Promise.all([reader.context.closed(), idle.context.closed()])
    await expect.poll(tokens).toBe(before - 1)
    expect((await generate(lessee.context)).status).toBe(200)
    const again = await world.granted('writer')
    expect((await plain(again.context)).status).toBe(200)
  })

  test('a trace: shown first, then ended, and nothing of it is granted again', async () => {
    const { revocations } = world.sidecar
    const other = await world.granted('writer', { traceparent: `00-${'c'.repeat(32)}-b7ad6b7169203331-01` })
    const { reader, lessee, idle } = await threeAttempts()
    expect(revocations.preview({ trace: TRACE })).toMatchObject([
      { requestId: reader.job.jobId, secrets: ['plain'] },
      { requestId: lessee.job.jobId, secrets: ['orders-db'] },
      { requestId: idle.job.jobId, secrets: [] },
    ])
    expect((await plain(reader.context)).status).toBe(200)
    expect(await revoke({ trace: TRACE })).toMatchObject({ attempts: [{}, {}, {}], revokedLeases: 1 })
    await Promise.all([reader, lessee, idle].map(({ context }) => context.closed()))
    await expect(world.granted('writer')).rejects.toThrow(/trace-revoked/)
    expect((await plain(other.context)).status).toBe(200)
  })

  test('the worker of an attempt that ends is told which, and of one that is kept it is not', async () => {
    const { reader, idle } = await threeAttempts()
    const told: string[] = []
    reader.redaction.onRevoked((jobId) => told.push(jobId))
    await revoke({ secret: 'plain', generation: 1 }, true)
    await revoke({ agentType: 'writer' })
    await expect.poll(() => told.toSorted()).toEqual([reader.job.jobId, idle.job.jobId].toSorted())
  })

  test('I8 it is on record with who asked, but does not wait for the record', async () => {
    const { reader } = await threeAttempts()
    await revoke({ secret: 'plain', generation: 1 })
    const lines = async () => (await world.auditLines()).filter(({ reason }) => reason === 'operator')
    await expect
      .poll(lines)
      .toMatchObject([{ action: 'revoke', secret: 'plain', generation: 1, operator: 'eve', attempts: 1 }])
    expect(reader.grant).toBeTypeOf('string')
    const { context } = await world.granted('writer')
    await world.breakAudit()
    await revoke({ agentType: 'writer' })
    await context.closed()
  })
})
