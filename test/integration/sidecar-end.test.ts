import { setTimeout as delay } from 'node:timers/promises'
import { lockKey, openRedis, queueOf } from '#lib/queue'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

let world: SidecarWorld
beforeAll(async () => {
  world = await openSidecarWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const withRelay = async () => {
  const attempt = await world.granted('coder')
  const lease = await attempt.context.ask('POST', '/v1/leases', { name: 'orders-db' })
  const relay = await attempt.context.connect('orders-db:0')
  expect([lease.status, relay.status]).toEqual([200, 200])
  return { ...attempt, user: lease.json.credentials.user as string }
}
const dropped = (user: string) =>
  expect
    .poll(() => world.sql.some((statement) => /DROP ROLE/i.test(statement) && statement.includes(user)))
    .toBe(true)

describe('I6: the end of a grant', () => {
  test('when the worker asks: relays are cut, the user is dropped, and the answer counts it', async () => {
    const before = world.database.open.size
    const { end, user, context } = await withRelay()
    expect((await end()).json).toEqual({ revokedLeases: 1 })
    await dropped(user)
    await context.closed()
    await expect.poll(() => world.database.open.size).toBe(before)
  })

  test('when all connections of the context are gone', async () => {
    const { context, user } = await withRelay()
    context.close()
    await dropped(user)
  })

  test('when the worker’s connection is gone', async () => {
    const { worker, context, user } = await withRelay()
    const startedAt = Date.now()
    worker.close()
    await context.closed()
    await dropped(user)
    expect(Date.now() - startedAt).toBeLessThan(5 * 2000)
  })

  test('when its time and a second are over', async () => {
    const { context } = await world.granted('coder', { timeoutMs: 50 })
    await context.closed()
  })

  test.each([
    ['another worker has', 'stolen'],
    ['nobody has', undefined],
  ])('when its job’s lock is one that %s', async (_, token) => {
    const { context, user, job } = await withRelay()
    const { name: cluster, environment } = world.cluster
    const key = lockKey(queueOf({ cluster, environment }, 'coder'), job.jobId)
    await (token === undefined ? world.redis.del(key) : world.redis.set(key, token))
    await context.closed()
    await dropped(user)
    const ends = async () => (await world.auditLines()).filter(({ requestId }) => requestId === job.jobId)
    await expect.poll(ends).toContainEqual(expect.objectContaining({ action: 'revoke', reason: 'lock-lost' }))
  })

  test('not while its lock is held, nor while Redis does not answer', async () => {
    const { context } = await world.granted('writer')
    const frozen = await openRedis(world.redisConfig, 'producer')
    await frozen.call('CLIENT', 'PAUSE', '2500')
    frozen.disconnect()
    await delay(3500)
    expect((await context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
  })

  test('ending twice is no error', async () => {
    const { end } = await world.granted('writer')
    await end()
    expect(await end()).toMatchObject({ status: 200, json: { revokedLeases: 0 } })
  })

  test('a worker of another type cannot end it', async () => {
    const { grant, context } = await world.granted('writer')
    const other = await world.worker('coder')
    await other.ask('DELETE', `/v1/grants/${grant}`)
    expect((await context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
  })
})
