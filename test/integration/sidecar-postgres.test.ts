import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openScratchPostgres, type ScratchPostgres } from '../support/scratch-postgres.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

let postgres: ScratchPostgres
let world: SidecarWorld
beforeAll(async () => {
  postgres = await openScratchPostgres()
  await postgres.query(
    `CREATE TABLE boats (id int, hull text); INSERT INTO boats VALUES (1, 'oak'), (2, 'steel')`,
  )
  world = await openSidecarWorld({ postgres })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
})

test('I6: an attempt asks a real database as its own user, which is gone with its sessions when it ends', async () => {
  const { context, end } = await world.granted('coder')
  const lease = await context.ask('POST', '/v1/leases', { name: 'orders-db' })
  expect(lease.status, lease.text).toBe(200)
  const { socket, status } = await context.connect('orders-db:0')
  expect(status).toBe(200)
  const db = new Client({
    ...lease.json.credentials,
    stream: () => Object.assign(socket, { connect: () => queueMicrotask(() => socket.emit('connect')) }),
  })
  const cut = new Promise((resolve) => db.on('error', resolve))
  await db.connect()
  expect((await db.query('SELECT count(*)::int AS n FROM boats')).rows).toEqual([{ n: 2 }])
  const { user } = lease.json.credentials
  const [session] = (await db.query('SELECT current_user AS u, pg_backend_pid() AS pid')).rows
  expect(session.u).toBe(user)
  const startedAt = Date.now()
  expect((await end()).json).toEqual({ revokedLeases: 1 })
  await cut
  await expect.poll(() => postgres.query(`SELECT 1 FROM pg_roles WHERE rolname = '${user}'`)).toEqual([])
  // By its process: the name of a user goes with the user.
  const isOpen = () => postgres.query(`SELECT 1 FROM pg_stat_activity WHERE pid = ${session.pid}`)
  await expect.poll(isOpen).toEqual([])
  expect(Date.now() - startedAt).toBeLessThan(5 * 2000)
})
