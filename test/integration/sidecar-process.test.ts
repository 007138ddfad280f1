import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { verifyAudit } from '#lib/audit'
import { writeResolvedCluster } from '#lib/cluster'
import { readAlerts, readHead, serviceKeys } from '#lib/queue'
import { configToEnv } from '#lib/runtime'
import { issueWrappedSecretId } from '#lib/vault'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { RedactionLink } from '../../services/worker/redaction.ts'
import { Peer } from '../support/sidecar-peers.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

const WORKER = { role: 'worker', credential: 'credential-of-coder' } as const
let world: SidecarWorld
beforeAll(async () => {
  world = await openSidecarWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

/** The configuration of a second sidecar beside the world's own. */
async function configure() {
  const at = (name: string) => join(world.folder, name)
  const scope = { cluster: world.cluster.name, environment: world.cluster.environment }
  const { wrapped } = await issueWrappedSecretId(world.client, world.rootToken, scope)
  await writeFile(at('second-secret-id'), wrapped.token)
  await writeResolvedCluster(world.cluster, at('cluster.json'))
  return {
    clusterFile: at('cluster.json'),
    redis: world.redisConfig,
    socketDir: at('second'),
    credentialsDir: at('credentials'),
    publicKeyFile: world.keys.publicKeyFile,
    auditFile: at('second-audit.jsonl'),
    vault: {
      address: world.vault.address,
      roleIdFile: world.identityFiles.roleIdFile,
      secretIdFile: at('second-secret-id'),
    },
    supervised: 1,
  }
}

function start(config: object): ChildProcess {
  const env = { PATH: process.env['PATH'], ...configToEnv(config) }
  return spawn(process.execPath, ['services/sidecar/main.ts'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
}

/** A worker's connection, and the name of its other one for redaction. */
async function workerOn(path: string) {
  const credential = 'credential-of-coder'
  const link = new RedactionLink({ path, credential })
  onTestFinished(() => link[Symbol.asyncDispose]())
  link.ready()
  return { worker: await Peer.open(path, { role: 'worker', credential }, 1), redaction: link.link }
}

test('the process starts, serves, and ends on SIGTERM with its grants revoked and no value in its log', async () => {
  const config = await configure()
  const child = start(config)
  const output = Promise.all([text(child.stdout!), text(child.stderr!)])
  const ready = createInterface({ input: child.stdio[3] as Readable })
  expect(JSON.parse(String((await once(ready, 'line'))[0]))).toEqual({ ready: true })
  expect(existsSync(config.vault.secretIdFile)).toBe(false)
  expect(statSync(join(config.socketDir, 'coder')).mode & 0o777).toBe(0o700)

  const path = join(config.socketDir, 'coder', 'sidecar.sock')
  const context = await Peer.open(path, { role: 'context', context: 'c1' }, 4)
  const { worker, redaction } = await workerOn(path)
  const job = await world.job('coder')
  const claim = await worker.ask('POST', '/v1/grants', { context: 'c1', redaction, ...job })
  expect(claim.status, claim.text).toBe(201)
  expect((await context.ask('POST', '/v1/model/generate', { prompt: 'hi' })).status).toBe(200)
  const lease = await context.ask('POST', '/v1/leases', { name: 'orders-db' })
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  await context.closed()
  const { user } = lease.json.credentials
  expect(world.sql.some((sql) => /DROP ROLE/i.test(sql) && sql.includes(user))).toBe(true)
  const [log, errors] = await output
  expect(log).toContain('"secret":"openai-api-key"')
  expect(log + errors).not.toMatch(/canary-|credential-of-/)
  expect(errors).toBe('')
})

test('I6: what a killed sidecar has minted and leased is gone when the next one is ready', async () => {
  const config = await configure()
  const vault = { ...config.vault, accessorFile: join(world.folder, 'accessor') }
  const first = start({ ...config, vault })
  await once(createInterface({ input: first.stdio[3] as Readable }), 'line')
  const path = join(config.socketDir, 'coder', 'sidecar.sock')
  const context = await Peer.open(path, { role: 'context', context: 'c2' }, 4)
  const { worker, redaction } = await workerOn(path)
  await worker.ask('POST', '/v1/grants', { context: 'c2', redaction, ...(await world.job('coder')) })
  const { user } = (await context.ask('POST', '/v1/leases', { name: 'orders-db' })).json.credentials
  first.kill('SIGKILL')
  await once(first, 'exit')
  const isDropped = () => world.sql.some((sql) => /DROP ROLE/i.test(sql) && sql.includes(user))
  expect(isDropped()).toBe(false)

  const second = start({ ...(await configure()), vault })
  await once(createInterface({ input: second.stdio[3] as Readable }), 'line')
  await expect.poll(isDropped, { timeout: 10_000 }).toBe(true)
  second.kill('SIGTERM')
  expect(await once(second, 'exit')).toEqual([0, null])
})

test('I8: the head of the audit log lies in Redis and in Vault, and a log that was cut is an alert at the next start', async () => {
  const config = await configure()
  const scope = { cluster: world.cluster.name, environment: world.cluster.environment }
  const keys = serviceKeys(scope, 'sidecar')
  const auditFile = join(world.folder, 'third-audit.jsonl')
  const run = async (secretIdFile: string) => {
    const child = start({ ...config, auditFile, vault: { ...config.vault, secretIdFile } })
    await once(createInterface({ input: child.stdio[3] as Readable }), 'line')
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
  await run((await configure()).vault.secretIdFile)
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
