import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openScratchPostgres, type ScratchPostgres } from '../support/scratch-postgres.ts'
import { configure, grantedOn, start, untilReady } from '../support/sidecar-process.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

/**
 * A real sidecar before a real Postgres: an attempt holds two sessions through its relay, one that is sent rows all the
 * time and one whose statement waits without a word, in which no server notices that its client is gone.
 */
const ROWS = `SELECT repeat('x', 8192), pg_sleep(0.005) FROM generate_series(1, 1000000)`
const SILENCE = `SELECT pg_sleep(3600)`
const OUTAGE_MS = 60_000
const TTL_MS = 20_000
/** Vault tells the database a little more than it lets the lease live. */
const VAULTS_OWN_SLACK_MS = 6000
/** What may lie unread on its way to who reads it: what sockets hold. The session is sent four times as much in a second. */
const ON_ITS_WAY_BYTES = 400_000
/** 5 times the 2 s. */
const GONE = { timeout: 10_000 }
let postgres: ScratchPostgres
let world: SidecarWorld
beforeAll(async () => {
  postgres = await openScratchPostgres()
})
afterAll(() => postgres[Symbol.asyncDispose]())
afterEach(() => world[Symbol.asyncDispose]())

type Attempt = Awaited<ReturnType<typeof grantedOn>>
interface Credentials {
  user: string
  password: string
}

/** A sidecar's process that reaches Vault through what can be made faulty. */
async function startSidecar() {
  const config = await configure(world)
  const vault = { ...config.vault, address: world.faulty.address, accessorFile: join(world.folder, 'kept') }
  const child = start({ ...config, vault })
  child.stdout!.resume()
  await untilReady(child)
  return { config, child }
}

/** A session through the relay that runs a statement, and what came of it. */
async function session({ context }: Attempt, credentials: Credentials, statement: string) {
  const { socket } = await context.connect('orders-db:0')
  // Closed is closed, whatever the other side had not read: `once` would reject for ECONNRESET.
  const seen = { bytes: 0, closed: new Promise<void>((resolve) => socket.once('close', () => resolve())) }
  socket.on('data', (chunk: Buffer) => (seen.bytes += chunk.length))
  const connect = () => queueMicrotask(() => socket.emit('connect'))
  const db = new Client({ ...credentials, stream: () => Object.assign(socket, { connect }) })
  db.on('error', () => {})
  await db.connect()
  db.query(statement).catch(() => {})
  return seen
}

/** An attempt that leases, and holds both sessions open. */
async function holding(config: { socketDir: string }) {
  const attempt = await grantedOn(world, config)
  const lease = await attempt.context.ask('POST', '/v1/leases', { name: 'orders-db' })
  const credentials: Credentials = lease.json.credentials
  const [rows, silence] = [
    await session(attempt, credentials, ROWS),
    await session(attempt, credentials, SILENCE),
  ]
  await expect.poll(() => rows.bytes, GONE).toBeGreaterThan(200_000)
  const found = await postgres.query(`SELECT pid FROM pg_stat_activity WHERE usename = '${credentials.user}'`)
  const pids = found.map(({ pid }) => pid as number)
  expect(pids).toHaveLength(2)
  return { attempt, credentials, pids, rows, silence, closed: Promise.all([rows.closed, silence.closed]) }
}
type Held = Awaited<ReturnType<typeof holding>>

/** What is left of an attempt at the database. A session is known by its process: its user's name goes with the user. */
const leftOf = async ({ credentials, pids }: Held) => ({
  user: await exists(credentials),
  sessions: (await postgres.query(`SELECT 1 FROM pg_stat_activity WHERE pid IN (${pids.join()})`)).length,
})
const NOTHING = { user: false, sessions: 0 }
const exists = async ({ user }: Credentials) =>
  (await postgres.query(`SELECT 1 FROM pg_roles WHERE rolname = '${user}'`)).length > 0
/** Why Postgres refuses who has the credentials and reaches it without a relay; undefined when it does not. */
const refusal = (as: Credentials) =>
  postgres.query('SELECT 1', as).then(
    () => undefined,
    (error: Error) => error.message,
  )
/** What has come by the end of both connections, once time has passed in which more could have. */
async function bytesAfter({ rows, silence, closed }: Held): Promise<number> {
  await closed
  const before = rows.bytes + silence.bytes
  await delay(500)
  return rows.bytes + silence.bytes - before
}

describe('I6: an open session with a database', () => {
  beforeEach(async () => {
    world = await openSidecarWorld({ postgres })
  })

  test('ends with its attempt: nothing comes after, the session is cut, the user is gone within 2 s, at 5 times the slack', async () => {
    const { config, child } = await startSidecar()
    const held = await holding(config)
    const endedAt = Date.now()
    expect((await held.attempt.end()).json).toEqual({ revokedLeases: 1 })
    const atEnd = held.rows.bytes
    expect(await bytesAfter(held)).toBe(0)
    expect(held.rows.bytes - atEnd).toBeLessThan(ON_ITS_WAY_BYTES)
    await expect.poll(() => leftOf(held), GONE).toEqual(NOTHING)
    expect(Date.now() - endedAt).toBeLessThan(5 * 2000)
    expect(await refusal(held.credentials)).toMatch(/password authentication failed/)
    child.kill('SIGTERM')
    await once(child, 'exit')
  })

  test('ends with kill -9 of the sidecar: nothing comes after, and the next sidecar ends session and user', async () => {
    const { config, child } = await startSidecar()
    const held = await holding(config)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await bytesAfter(held)).toBe(0)
    expect(await refusal(held.credentials)).toBeUndefined() // until the next sidecar starts, or its TTL
    const { child: next } = await startSidecar()
    const startedAt = Date.now()
    await expect.poll(() => leftOf(held), GONE).toEqual(NOTHING)
    expect(Date.now() - startedAt).toBeLessThan(5 * 2000)
    expect(await refusal(held.credentials)).toMatch(/password authentication failed/)
    next.kill('SIGTERM')
    await once(next, 'exit')
  })
})

describe('I6: an open session with a database, while Vault is away for 60 s', () => {
  test('is cut at once: nothing comes after, and session and user go when Vault is back', async () => {
    world = await openSidecarWorld({ postgres })
    const { config, child } = await startSidecar()
    const held = await holding(config)
    await world.faulty.set('refused')
    const awayAt = Date.now()
    const ending = held.attempt.end()
    await held.closed
    expect(Date.now() - awayAt).toBeLessThan(5 * 500)
    expect(await bytesAfter(held)).toBe(0)
    expect((await ending).json).toEqual({ revokedLeases: 0, pending: true })
    await delay(OUTAGE_MS - (Date.now() - awayAt))
    expect(await exists(held.credentials)).toBe(true)
    await world.faulty.set(undefined)
    await expect.poll(() => leftOf(held), { timeout: 30_000 }).toEqual(NOTHING)
    child.kill('SIGTERM')
    await once(child, 'exit')
  })

  test('is over with its TTL where it stays away for longer: Vault ends the user by itself, and Postgres refuses it', async () => {
    world = await openSidecarWorld({ postgres, ttlMs: TTL_MS })
    const { config, child } = await startSidecar()
    const held = await holding(config)
    await world.faulty.set('refused')
    const awayAt = Date.now()
    expect((await held.attempt.end()).json).toEqual({ revokedLeases: 0, pending: true })
    expect(await bytesAfter(held)).toBe(0)
    const [valid] = await postgres.query(
      `SELECT rolvaliduntil AS until FROM pg_roles WHERE rolname = '${held.credentials.user}'`,
    )
    expect((valid!['until'] as Date).getTime()).toBeLessThan(awayAt + TTL_MS + VAULTS_OWN_SLACK_MS)
    await expect.poll(() => leftOf(held), { timeout: TTL_MS + GONE.timeout }).toEqual(NOTHING)
    expect(await refusal(held.credentials)).toMatch(/password authentication failed/)
    await world.faulty.set(undefined)
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
})
