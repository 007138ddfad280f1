import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { verifyAudit } from '#lib/audit'
import { readAlerts, readHead, serviceKeys } from '#lib/queue'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Peer } from '../support/sidecar-peers.ts'
import { configure, start, untilReady, workerOn } from '../support/sidecar-process.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

const WORKER = { role: 'worker', credential: 'credential-of-coder' } as const
let world: SidecarWorld
beforeAll(async () => {
  world = await openSidecarWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

test('the process starts, serves, and ends on SIGTERM with its grants revoked and no value in its log', async () => {
  const config = await configure(world)
  const child = start(config)
  const output = Promise.all([text(child.stdout!), text(child.stderr!)])
  expect(await untilReady(child)).toEqual({ ready: true })
  expect(existsSync(config.vault.secretIdFile)).toBe(false)
  expect(statSync(join(config.socketDir, 'coder')).mode & 0o777).toBe(0o700)

  const { path, worker, redaction } = await workerOn(config)
  const context = await Peer.open(path, { role: 'context', context: 'c1' }, 4)
  const job = await world.job('coder')
  const claim = await worker.ask('POST', '/v1/grants', { context: 'c1', redaction, ...job })
  expect(claim.status, claim.text).toBe(201)
  expect((await context.ask('POST', '/v1/model/generate', { prompt: 'hi' })).status).toBe(200)
  const lease = await context.ask('POST', '/v1/leases', { name: 'orders-db' })
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  await context.closed()
  const { user } = lease.json.credentials
  // Vault ends the leases of a token a moment after it has ended the token.
  await expect.poll(() => world.sql.some((sql) => /DROP ROLE/i.test(sql) && sql.includes(user))).toBe(true)
  const [log, errors] = await output
  expect(log).toContain('"secret":"openai-api-key"')
  expect(log + errors).not.toMatch(/canary-|credential-of-/)
  expect(errors).toBe('')
})

test('I6: what a killed sidecar has minted and leased is gone when the next one is ready', async () => {
  const config = await configure(world)
  const vault = { ...config.vault, accessorFile: join(world.folder, 'accessor') }
  const first = start({ ...config, vault })
  await untilReady(first)
  const { path, worker, redaction } = await workerOn(config)
  const context = await Peer.open(path, { role: 'context', context: 'c2' }, 4)
  await worker.ask('POST', '/v1/grants', { context: 'c2', redaction, ...(await world.job('coder')) })
  const { user } = (await context.ask('POST', '/v1/leases', { name: 'orders-db' })).json.credentials
  first.kill('SIGKILL')
  await once(first, 'exit')
  const isDropped = () => world.sql.some((sql) => /DROP ROLE/i.test(sql) && sql.includes(user))
  expect(isDropped()).toBe(false)

  const second = start({ ...(await configure(world)), vault })
  await untilReady(second)
  await expect.poll(isDropped, { timeout: 10_000 }).toBe(true)
  second.kill('SIGTERM')
  expect(await once(second, 'exit')).toEqual([0, null])
})

test('I8: the head of the audit log lies in Redis and in Vault, and a log that was cut is an alert at the next start', async () => {
  const config = await configure(world)
  const scope = { cluster: world.cluster.name, environment: world.cluster.environment }
  const keys = serviceKeys(scope, 'sidecar')
  const auditFile = join(world.folder, 'third-audit.jsonl')
  const run = async (secretIdFile: string) => {
    const child = start({ ...config, auditFile, vault: { ...config.vault, secretIdFile } })
    await untilReady(child)
    const worker = await Peer.open(join(config.socketDir, 'coder', 'sidecar.sock'), WORKER, 1)
    await worker.ask('POST', '/v1/grants', { context: 'c3', ...(await world.job('coder', { lock: false })) })
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  await run(config.vault.secretIdFile)
  const { lines, head } = await verifyAudit(auditFile)
  expect(lines).toBeGreaterThan(0)
  expect(await readHead(world.redis, keys)).toEqual({ seq: lines, hash: head })
  const inVault = await world.client.kvRead(world.rootToken, world.names.auditHead('sidecar'))
  expect(inVault.data).toEqual({ seq: lines, hash: head })

  await truncate(auditFile, 0)
  await run((await configure(world)).vault.secretIdFile)
  const labels = { service: 'sidecar', lines: '0', 'lines-noted': `${lines}` }
  const alert = { name: 'audit-log-cut', severity: 'critical', labels, at: expect.any(Number), trace: null }
  expect(await readAlerts(world.redis, keys)).toContainEqual(alert)
  expect(await readFile(auditFile, 'utf8')).toContain('"action":"cut"')
})

test('a missing variable is named', async () => {
  const child = start({ socketDir: '/tmp/x' })
  const [errors] = await Promise.all([text(child.stderr!), once(child, 'exit')])
  expect(child.exitCode).not.toBe(0)
  expect(errors).toMatch(/TB_CLUSTER_FILE.*TB_CREDENTIALS_DIR.*TB_PUBLIC_KEY_FILE/)
})
