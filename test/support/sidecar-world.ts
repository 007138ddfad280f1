import { createSecretKey, randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { AuditLog } from '#lib/audit'
import type { Cluster } from '#lib/cluster'
import {
  createSigningKeyPem,
  lockKey,
  newRequestId,
  openRedis,
  queueOf,
  type RaiseAlert,
  readPublicKey,
  readSigningKey,
  signJob,
} from '#lib/queue'
import { silentLog } from '#lib/runtime'
import { SecretReader } from '#lib/secrets'
import { issueWrappedSecretId, type VaultClient, vaultNames } from '#lib/vault'
import { AcceptedKeys } from '../../services/dev/models/keys.ts'
import { StandIn } from '../../services/dev/models/server.ts'
import { openIdentity } from '../../services/sidecar/identity.ts'
import { listenForPromotions } from '../../services/sidecar/promotion-listener.ts'
import { Sidecar } from '../../services/sidecar/sidecar.ts'
import { RedactionLink } from '../../services/worker/redaction.ts'
import { startRedis } from './queue-redis.ts'
import type { ScratchPostgres } from './scratch-postgres.ts'
import { Peer } from './sidecar-peers.ts'
import { CANARY, openVault, ROOT, testCluster } from './sidecar-vault.ts'

export { CANARY }
export const AUDIT_KEY = 'audit-key-of-the-tests'
const TRACE = '0af7651916cd43dd8448eb211c80319c'

export type SidecarWorld = Awaited<ReturnType<typeof openSidecarWorld>>

/** What may be other than usual: a real database, and how long its users live. */
export interface SidecarWorldOptions {
  postgres?: ScratchPostgres
  ttlMs?: number
}

/** A sidecar with everything real around it; the database echoes unless a Postgres is given. */
export async function openSidecarWorld({ postgres, ttlMs }: SidecarWorldOptions = {}) {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp('/tmp/tbs-')
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const models = await openModels(folder, stack)
  const cluster = testCluster(models.url, folder, postgres)
  if (ttlMs) cluster.secrets['orders-db']!.ttlMs = ttlMs
  const database = await openEcho(folder, stack)
  const redisServer = stack.use(await startRedis())
  const redis = stack.adopt(await openRedis(redisServer.config, 'reader'), (opened) => opened.disconnect())
  const sql: string[] = []
  const { vault, vaultClock, faulty, client } = await openVault(cluster, { sql, postgres }, stack)
  const names = vaultNames({ cluster: cluster.name, environment: cluster.environment })
  const identityFiles = await writeIdentity(client, cluster, folder)
  const identity = stack.use(await openIdentity(identityFiles, { vault: client, names, log: silentLog }))
  let reads = 0
  const kvRead: VaultClient['kvRead'] = (...asked) => (reads++, client.kvRead(...asked))
  const reader = stack.use(await SecretReader.open({ identity, vault: { kvRead }, names }))
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const channel = await openRedis(redisServer.config, 'reader')
  stack.use(await listenForPromotions({ channel, scope, reader, log: silentLog }))
  const auditFile = join(folder, 'audit.jsonl')
  const audit = stack.use(await AuditLog.open({ file: auditFile }))
  const keys = await writeKeys(cluster, folder)
  const alerts: { name: string; labels: Record<string, string>; trace: string | null }[] = []
  const raise: RaiseAlert = async (name, _severity, labels = {}, trace = null) =>
    void alerts.push({ name, labels, trace })
  const sidecar = stack.use(
    await Sidecar.open({
      cluster,
      socketDir: folder,
      credentialsDir: join(folder, 'credentials'),
      publicKey: readPublicKey(keys.publicKeyFile),
      redis,
      vault: client,
      names,
      identity,
      reader,
      audit,
      auditKey: createSecretKey(Buffer.from(AUDIT_KEY)),
      raise,
      log: silentLog,
    }),
  )
  const resources = stack.move()
  const signingKey = readSigningKey(keys.signingKeyFile)
  const socketOf = (agentType: string) => join(folder, agentType, 'sidecar.sock')
  const peers: Peer[] = []
  /** What the worker of an agent type asks before anything that its agents say leaves. */
  const redaction = (agentType: string) => {
    const options = { path: socketOf(agentType), credential: `credential-of-${agentType}` }
    const link = resources.use(new RedactionLink(options))
    link.ready()
    return link
  }
  const links = new Map<string, RedactionLink>()
  const linkOf = (agentType: string) => links.getOrInsertComputed(agentType, redaction)
  const peer = async (agentType: string, preamble: Parameters<typeof Peer.open>[1], count: number) => {
    const opened = await Peer.open(socketOf(agentType), preamble, count)
    peers.push(opened)
    return opened
  }

  const context = async (agentType: string) => {
    const id = randomUUID()
    return Object.assign(await peer(agentType, { role: 'context', context: id }, 4), { id })
  }
  const worker = (agentType: string, credential = `credential-of-${agentType}`) =>
    peer(agentType, { role: 'worker', credential }, 2)
  /** A job that a producer signed, locked by a worker. */
  const job = async (
    agentType: string,
    { lock = true, ...facts }: { lock?: boolean; expiresAt?: number } = {},
  ) => {
    const queue = queueOf({ cluster: cluster.name, environment: cluster.environment }, agentType)
    const jobId = newRequestId(agentType)
    const lockToken = randomUUID()
    if (lock) await redis.set(lockKey(queue, jobId), lockToken, 'PX', 60_000)
    const createdAt = Date.now()
    const job = signJob(signingKey, {
      id: jobId,
      agentType,
      input: { q: 1 },
      metadata: {},
      tenant: 'acme',
      caller: 'demo',
      chain: [],
      createdAt,
      expiresAt: createdAt + 60_000,
      ...facts,
    })
    return {
      jobId,
      lockToken,
      job,
      attempt: 1,
      traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
      timeoutMs: 60_000,
    }
  }

  return {
    folder,
    cluster,
    models,
    redis,
    redisConfig: redisServer.config,
    faulty,
    sql,
    alerts,
    /** How often Vault was asked for a static secret. */
    reads: () => reads,
    vault,
    vaultClock,
    client,
    names,
    identity,
    reader,
    channel,
    scope,
    database,
    identityFiles,
    socketOf,
    peer,
    sidecar,
    keys,
    rootToken: ROOT,
    context,
    worker,
    job,
    /** A context whose attempt has its grant. */
    async granted(agentType: string, extra: object = {}) {
      const [inside, asking, locked] = await Promise.all([
        context(agentType),
        worker(agentType),
        job(agentType),
      ])
      const answer = await asking.ask('POST', '/v1/grants', {
        context: inside.id,
        redaction: linkOf(agentType).link,
        ...locked,
        ...extra,
      })
      if (answer.status !== 201) throw new Error(`no grant: ${answer.text}`)
      const grant: string = answer.json.grant
      return {
        context: inside,
        worker: asking,
        redaction: linkOf(agentType),
        job: locked,
        grant,
        end: () => asking.ask('DELETE', `/v1/grants/${grant}`),
      }
    },
    /** From now on nothing can be recorded. */
    breakAudit: () => audit[Symbol.asyncDispose](),
    async auditLines(): Promise<any[]> {
      const lines = (await readFile(auditFile, 'utf8')).trim().split('\n').filter(Boolean)
      return lines.map((line) => JSON.parse(line))
    },
    async [Symbol.asyncDispose]() {
      for (const opened of peers) opened.close()
      await resources.disposeAsync()
    },
  }
}

async function openModels(folder: string, stack: AsyncDisposableStack) {
  const file = join(folder, 'keys.json')
  await writeFile(file, JSON.stringify({ anthropic: [CANARY.anthropic], openai: [CANARY.openai] }))
  const standIn = await StandIn.open({
    host: '127.0.0.1',
    port: 0,
    keys: new AcceptedKeys(file),
    log: silentLog,
  })
  stack.use(standIn)
  return { url: standIn.url, keysFile: file }
}

/** A server on the path of Postgres' socket that sends back what it gets. */
async function openEcho(folder: string, stack: AsyncDisposableStack) {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {}).once('close', () => open.delete(socket))
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(join(folder, '.s.PGSQL.5432'), resolve))
  stack.defer(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { open }
}

async function writeIdentity(client: VaultClient, cluster: Cluster, folder: string) {
  const files = { roleIdFile: join(folder, 'role-id'), secretIdFile: join(folder, 'secret-id') }
  const { roleId, wrapped } = await issueWrappedSecretId(client, ROOT, {
    cluster: cluster.name,
    environment: cluster.environment,
  })
  await writeFile(files.roleIdFile, roleId)
  await writeFile(files.secretIdFile, wrapped.token)
  return files
}

async function writeKeys(cluster: Cluster, folder: string) {
  const pem = createSigningKeyPem()
  const files = { signingKeyFile: join(folder, 'signing.pem'), publicKeyFile: join(folder, 'public.pem') }
  await writeFile(files.signingKeyFile, pem.signingKey)
  await writeFile(files.publicKeyFile, pem.publicKey)
  await mkdir(join(folder, 'credentials'))
  for (const type of Object.keys(cluster.agents))
    await writeFile(join(folder, 'credentials', type), `credential-of-${type}\n`)
  return files
}
