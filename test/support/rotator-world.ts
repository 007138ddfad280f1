import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseCluster, vaultNeeds, writeResolvedCluster } from '#lib/cluster'
import { DevVault } from '#lib/dev-vault'
import { openRedis, readAlerts, serviceKeys } from '#lib/queue'
import { requestRotation, type RotationRecord, RotationStore } from '#lib/rotation'
import { configToEnv, silentLog, systemClock } from '#lib/runtime'
import {
  applyMounts,
  applyPolicies,
  issueWrappedSecretId,
  planPolicies,
  putSecret,
  VaultClient,
  vaultNames,
} from '#lib/vault'
import { AcceptedKeys } from '../../services/dev/models/keys.ts'
import { StandIn } from '../../services/dev/models/server.ts'
import { KillPoints, killingProxy } from './kill-points.ts'
import { startRedis } from './queue-redis.ts'

const ROOT = 'root-token-of-the-test-0123'
const FIRST = 'sk-the-first-key-of-the-operator'
const ADMIN = 'sk-admin-key-0123456789'
const SECRET = 'openai-api-key'

const clusterText = (models: string) => `
cluster: turning
environment: dev
agents: { writer: { model: gpt-4-turbo, system: Be brief., timeout: 1s } }
secrets:
  openai-api-key:
    provider: openai
    egress: { base-url: "${models}", header: "authorization: Bearer {value}", allow: ["POST /v1/chat/completions"] }
    rotate: { every: monthly, project: proj-demo, admin-secret: openai-admin-key }
    cache: { fresh: 1s, stale: 0s }
  openai-admin-key: { provider: openai-admin }
`

/** A real Redis, a dev Vault and a stand-in for OpenAI; before the last two, what kills a rotator at a point. */
export async function openRotatorWorld() {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'tb-rotator-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  const points = new KillPoints()
  const server = stack.use(await startRedis())
  const redis = await openRedis(server.config, 'reader')
  stack.defer(() => redis.disconnect())
  const standIn = stack.use(await openModels(folder))
  const models = stack.use(await killingProxy(standIn.url, points, providerCall))
  const cluster = parseCluster(clusterText(models.url), { file: join(folder, 'threadbound.yaml') })
  const vault = stack.use(await DevVault.open({ clock: systemClock, rootToken: ROOT, log: silentLog }))
  const client = stack.use(await VaultClient.open({ address: vault.address }))
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const desired = planPolicies(vaultNeeds(cluster))
  await applyMounts(client, ROOT, desired)
  await putSecret(client, ROOT, { ...scope, name: SECRET, value: FIRST })
  await putSecret(client, ROOT, { ...scope, name: 'openai-admin-key', value: ADMIN })
  await applyPolicies(client, ROOT, desired)
  const before = stack.use(await killingProxy(vault.address, points, vaultCall))
  const clusterFile = join(folder, 'cluster.json')
  await writeResolvedCluster(cluster, clusterFile)
  const names = vaultNames(scope)
  const store = new RotationStore({ vault: client, names, use: (call) => call(ROOT) })
  const children = new Set<ChildProcess>()
  stack.defer(() => children.forEach((child) => void child.kill('SIGKILL')))

  /** Another rotator, which may not be ready yet. */
  const start = async ({ log = 'ignore' }: { log?: 'ignore' | 'pipe' } = {}): Promise<ChildProcess> => {
    const { roleId, wrapped } = await issueWrappedSecretId(client, ROOT, { ...scope, service: 'rotator' })
    const [roleIdFile, secretIdFile] = [join(folder, 'role-id'), join(folder, 'secret-id')]
    writeFileSync(roleIdFile, roleId)
    writeFileSync(secretIdFile, wrapped.token)
    const config = {
      clusterFile,
      redis: server.config,
      vault: { address: before.url, roleIdFile, secretIdFile },
      skewMs: 0,
      lookEveryMs: 500,
    }
    const env = { PATH: process.env['PATH'], ...configToEnv(config) }
    const stdio = ['ignore', log, 'inherit'] as const
    const child = spawn(process.execPath, ['services/rotator/main.ts'], { env, stdio: [...stdio] })
    children.add(child)
    child.once('exit', () => children.delete(child))
    return child
  }
  const world = {
    points,
    store,
    start,
    ask: () => requestRotation(store, SECRET, { at: Date.now(), by: 'ann', revokeOld: false }),
    record: async (): Promise<RotationRecord> => (await store.load(SECRET)).record,
    /** Waits for a record. */
    async until(wanted: (record: RotationRecord) => boolean | Promise<boolean>): Promise<RotationRecord> {
      for (;;) {
        const record = await world.record()
        if (await wanted(record)) return record
        await delay(50)
      }
    },
    /** What a killed rotator holds until its locks expire: the tests need not wait for that. */
    async dropLocks() {
      const locks = await redis.keys('*tb:lock*')
      if (locks.length > 0) await redis.del(...locks)
    },
    locks: () => redis.keys('*tb:lock*'),
    /** What goes wrong with the next calls to the provider. */
    faults: standIn.faults,
    /** The names of the rotator's alerts, the oldest first. */
    alerts: async () => (await readAlerts(redis, serviceKeys(scope, 'rotator'))).toReversed(),
    /** Forgets all that BullMQ keeps: schedulers, delayed and waiting jobs. */
    async dropJobs() {
      const keys = (await redis.keys('*.rotator}:.rotator:*')).filter((key) => !key.includes(':tb:'))
      if (keys.length > 0) await redis.del(...keys)
      return keys.length
    },
    /** Ends every token of rotators, as an operator might. */
    endTokens: () => client.admin.revokePrefix(ROOT, 'auth', 'approle', 'login'),
    /** Whether the value that is live works. */
    async works(): Promise<boolean> {
      const live = await store.live(SECRET)
      const headers = { authorization: `Bearer ${live?.value}` }
      return (await fetch(`${standIn.url}/v1/models`, { headers })).ok
    },
    /** How many keys the provider has. */
    async keys(): Promise<number> {
      const url = `${standIn.url}/v1/organization/projects/proj-demo/api_keys`
      const answer = await fetch(url, { headers: { authorization: `Bearer ${ADMIN}` } })
      return ((await answer.json()) as { data: unknown[] }).data.length
    },
    pending: () => store.pending(SECRET),
  }
  const opened = stack.move()
  return { ...world, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

function openModels(folder: string): Promise<StandIn> {
  const file = join(folder, 'keys.json')
  const all = { openai: [{ key: FIRST, project: 'proj-demo' }], 'openai-admin': [ADMIN] }
  writeFileSync(file, JSON.stringify(all))
  return StandIn.open({ host: '127.0.0.1', port: 0, keys: new AcceptedKeys(file), log: silentLog })
}

/** The changes, and the trial of the new key; nothing else is a step. */
function providerCall(method: string, path: string): string | undefined {
  if (path === '/v1/models') return 'try a key'
  if (method === 'POST') return 'make the key'
  return method === 'DELETE' ? 'end the key' : undefined
}

function vaultCall(method: string, path: string): string | undefined {
  if (!path.startsWith('/v1/kv/') || method === 'GET') return undefined
  if (path.includes('--rotation/')) return 'write the record'
  if (path.includes('--pending/')) return method === 'DELETE' ? 'clear pending' : 'write pending'
  return 'write the live value'
}
