import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configure, grantedOn, start, untilReady } from '../support/sidecar-process.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

/**
 * What can be left over in Vault, and what ends it. No sweep is needed beside these: a token lives as long as its attempt
 * may take and a minute at most, and a sidecar that may list everybody's tokens could end everybody's.
 */
let world: SidecarWorld
beforeEach(async () => {
  world = await openSidecarWorld()
})
afterEach(() => world[Symbol.asyncDispose]())

const lease = { name: 'orders-db' }
const UNAVAILABLE = { status: 503, json: { error: { type: 'secret-unavailable' } } }
const created = () => world.sql.filter((sql) => /CREATE ROLE/i.test(sql)).length
const droppedUsers = () => world.sql.filter((sql) => /DROP ROLE/i.test(sql)).length

interface Token {
  accessor: string
  meta: Record<string, string> | null
  policies: string[]
  ttl: number
  explicit_max_ttl: number
}

const ask = async (method: string, path: string, body?: object) => {
  const headers = { 'x-vault-token': world.rootToken }
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
  return ((await (await fetch(`${world.vault.address}/v1/${path}`, init)).json()) as { data: any }).data
}

/** Every token that Vault knows, as its administrator sees them. */
async function tokens(): Promise<Token[]> {
  const { keys } = await ask('GET', 'auth/token/accessors?list=true')
  return Promise.all(keys.map((accessor: string) => ask('POST', 'auth/token/lookup-accessor', { accessor })))
}
const tokensOf = async (request: string) =>
  (await tokens()).filter(({ meta }) => meta?.['request'] === request)
const sidecars = async () =>
  (await tokens())
    .filter(({ policies }) => policies.includes(world.names.sidecar))
    .map(({ accessor }) => accessor)

/** A sidecar that leased and was killed; gives the configuration of the next. */
async function killed() {
  const vault = { address: world.faulty.address, accessorFile: join(world.folder, 'kept') }
  const next = async () => {
    const config = await configure(world)
    return { ...config, vault: { ...config.vault, ...vault } }
  }
  const config = await next()
  const child = start(config)
  await untilReady(child)
  const { context } = await grantedOn(world, config)
  expect((await context.ask('POST', '/v1/leases', lease)).status).toBe(200)
  child.kill('SIGKILL')
  await once(child, 'exit')
  return next
}

describe('I6 gone: answers that never came', () => {
  test('of a lease: the user that Vault has made all the same goes with its attempt', async () => {
    const { context, end, job } = await world.granted('coder')
    await world.faulty.set('answer-lost', /creds/)
    expect(await context.ask('POST', '/v1/leases', lease)).toMatchObject(UNAVAILABLE)
    await world.faulty.set(undefined)
    expect(created()).toBe(1)
    await end()
    await expect.poll(droppedUsers).toBe(1)
    expect(await tokensOf(job.jobId)).toEqual([])
  })

  test('of a token: nobody holds it, nothing hangs on it, and it ends with its time or with the sidecar', async () => {
    const { context, end, job } = await world.granted('coder')
    await world.faulty.set('answer-lost', /auth\/token\/create/)
    expect(await context.ask('POST', '/v1/leases', lease)).toMatchObject(UNAVAILABLE)
    await world.faulty.set(undefined)
    await end()
    const [left, ...others] = await tokensOf(job.jobId)
    expect([others, created()]).toEqual([[], 0])
    const { timeoutMs } = world.cluster.agents['coder']!
    expect(left!.explicit_max_ttl).toBeLessThanOrEqual(timeoutMs / 1000 + 60)
    await world.identity[Symbol.asyncDispose]()
    expect(await tokensOf(job.jobId)).toEqual([])
  })

  test('of a revocation: it is asked about, and counts once Vault says that the token is gone', async () => {
    const { context, end, job } = await world.granted('coder')
    await context.ask('POST', '/v1/leases', lease)
    await world.faulty.set('answer-lost', /revoke-self/)
    const ending = end()
    await expect.poll(() => tokensOf(job.jobId)).toEqual([])
    await world.faulty.set(undefined)
    expect((await ending).json).toEqual({ revokedLeases: 1 })
  })
})

describe('I6 gone: a sidecar that was killed, with Vault away when the next one starts', () => {
  test('each start that cannot end its predecessors keeps them for the next, its own token too', async () => {
    const before = await sidecars()
    const next = await killed()
    for (const where of [/^/, /lookup-accessor/, /revoke-accessor/]) {
      const config = await next()
      await world.faulty.set('failing', where)
      const child = start(config)
      expect(await once(child, 'exit')).toEqual([1, null])
      await world.faulty.set(undefined)
    }
    expect([droppedUsers(), (await sidecars()).length - before.length]).toEqual([0, 3])
    const child = start(await next())
    await untilReady(child)
    await expect.poll(droppedUsers).toBe(1)
    expect((await sidecars()).length - before.length).toBe(1)
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect(await sidecars()).toEqual(before)
  })
})
