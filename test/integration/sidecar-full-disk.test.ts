import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { verifyAudit } from '#lib/audit'
import { readAlerts, serviceKeys } from '#lib/queue'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { configure, grantedOn, start, untilReady } from '../support/sidecar-process.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'
import { openSmallDisk } from '../support/small-disk.ts'

let world: SidecarWorld
beforeAll(async () => {
  world = await openSidecarWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const UNAVAILABLE = { status: 503, json: { error: { type: 'audit-unavailable' } } }
type Attempt = Awaited<ReturnType<typeof grantedOn>>

/** Takes attempts in until the line of one's grant does not fit any more. No other line is shorter: none fits then. */
async function firstUnrecorded(config: Awaited<ReturnType<typeof configure>>): Promise<Attempt> {
  const isOver = ({ context }: Attempt) => context.sockets.every(({ destroyed }) => destroyed)
  const isOnRecord = async ({ job }: Attempt) => {
    const text = await readFile(config.auditFile, 'utf8')
    return text.slice(0, text.lastIndexOf('\n')).includes(job.jobId)
  }
  for (;;) {
    const attempt = await grantedOn(world, config)
    await expect.poll(async () => isOver(attempt) || (await isOnRecord(attempt))).toBe(true)
    if (isOver(attempt)) return attempt
  }
}

const isDropped = (user: string) => world.sql.some((sql) => /DROP ROLE/i.test(sql) && sql.includes(user))

test('I8: the disk of the audit log fills up in mid-run: no new access, every revocation, and all of it on record later', async () => {
  using disk = openSmallDisk()
  const config = { ...(await configure(world)), auditFile: disk.file }
  const child = start(config)
  let said = ''
  child.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await untilReady(child)
  const lessees = await Promise.all(Array.from({ length: 3 }, () => grantedOn(world, config)))
  const users: string[] = []
  for (const { context } of lessees)
    users.push((await context.ask('POST', '/v1/leases', { name: 'orders-db' })).json.credentials.user)
  const [returning, killed, orphaned] = lessees
  const reader = await grantedOn(world, config, 'writer')
  const read = () => reader.context.ask('GET', '/v1/secrets/plain')
  expect((await read()).status).toBe(200)

  disk.fill(child.pid!)
  const fullAt = Date.now()
  const late = await firstUnrecorded(config)
  expect(await read()).toMatchObject(UNAVAILABLE)
  const made = world.sql.length
  const lease = { name: 'orders-db' }
  expect(await reader.context.ask('POST', '/v1/model/generate', { prompt: 'hi' })).toMatchObject(UNAVAILABLE)
  expect(await returning!.context.ask('POST', '/v1/leases', lease)).toMatchObject(UNAVAILABLE)
  expect((await returning!.context.connect('orders-db:0')).status).toBe(503)
  expect(world.sql).toHaveLength(made)

  const endedAt = Date.now()
  expect((await returning!.end()).json).toEqual({ revokedLeases: 1 })
  killed!.context.close()
  orphaned!.worker.close()
  await expect.poll(() => users.map(isDropped)).toEqual([true, true, true])
  expect(Date.now() - endedAt).toBeLessThan(5 * 2000)
  // Vault drops a user before the sidecar has its answer, and notes the end.
  await expect.poll(() => said.match(/"grant ended"/g)).toHaveLength(4)
  expect(await read()).toMatchObject(UNAVAILABLE)

  disk.free(child.pid!)
  await expect.poll(async () => (await read()).status).toBe(200)
  child.kill('SIGTERM')
  expect(await once(child, 'close')).toEqual([0, null])
  const lines = (await readFile(disk.file, 'utf8')).trim().split('\n')
  const events = lines.map((line) => JSON.parse(line))
  const gap = events.findIndex(({ action }) => action === 'gap')
  const afterGap = events.slice(gap + 1, gap + 1 + events[gap].late)
  expect(events[gap]).toMatchObject({ lost: 0 })
  const ended: { requestId: string; happened: string }[] = afterGap.filter(
    ({ action }) => action === 'revoke',
  )
  expect(ended.map(({ requestId }) => requestId).toSorted()).toEqual(
    [...lessees, late].map(({ job }) => job.jobId).toSorted(),
  )
  for (const { happened } of ended) expect(Date.parse(happened)).toBeGreaterThanOrEqual(fullAt)
  expect(await verifyAudit(disk.file)).toMatchObject({ ok: true, lines: lines.length })
  const keys = serviceKeys({ cluster: world.cluster.name, environment: world.cluster.environment }, 'sidecar')
  expect((await readAlerts(world.redis, keys)).map(({ name }) => name).toSorted()).toEqual([
    'audit-unwritable',
    'audit-written-again',
  ])
  expect(said).toMatch(new RegExp(`${disk.error}.*the audit log cannot be written[^]*written again`))
})
