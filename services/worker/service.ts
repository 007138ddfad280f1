import { type AgentType, type Cluster } from '#lib/cluster'
import { buildChildEntry, bundleAgent, ContextPool, type LauncherLink, openLauncher } from '#lib/context'
import {
  openQueue,
  openRedis,
  publishManifest,
  type QueueRef,
  queueOf,
  readPublicKey,
  setMaxConcurrency,
  verifyJob,
} from '#lib/queue'
import { type Log, messageOf, PermanentError, readCredential } from '#lib/runtime'
import type { Redis } from 'ioredis'
import { relative } from 'node:path'
import { noCaller, openCaller } from './calls.ts'
import type { Config } from './config.ts'
import { openHandlers } from './handlers.ts'
import { openHeartbeat } from './heartbeat.ts'
import { noMemory, openMemory } from './memory.ts'
import { noSidecar, openSidecarClient } from './sidecar-client.ts'
import { Worker, type WorkerOptions } from './worker.ts'

const DEFAULT_SLOTS = 16
const DEFAULT_SPARES = 2
/** Console output of one attempt, and as much again of its log lines, progress and emitted values, bytes. */
const OUTPUT_BYTES = 2 ** 20
const GRACE_MS = 500
const LOAD_TIMEOUT_MS = 10_000
/** A frozen worker's attempts are over before its locks are, so that no job ever runs twice at once. */
const FROZEN_PER_LOCK = 5 / 6

/** A worker that serves its queue. Disposing it drains and gives everything back. */
export interface Service extends AsyncDisposable {
  readonly slots: number
  readonly level: string
}

export interface ServiceOptions {
  config: Config
  cluster: Cluster
  /** From {@link openServiceLauncher}; it outlives the service. */
  launcher: LauncherLink
  log: Log
}

/**
 * Starts the launcher, which keeps the rights that this process gives up next: so before anything else, and with
 * nothing read but our own code. It is told all that it will ever know of the host.
 */
export async function openServiceLauncher(config: Config, cluster: Cluster): Promise<LauncherLink> {
  const { sidecarSocket: brokerSocket, runtimeDir } = config
  return openLauncher({
    level: agentTypeOf(cluster, config).isolation,
    runtimeDir,
    entry: await buildChildEntry(),
    aliveTimeoutMs: Math.floor(config.lockMs * FROZEN_PER_LOCK),
    ...(brokerSocket ? { brokerSocket } : {}),
  })
}

/** Opens all parts of a worker in order of need; what was opened is disposed when a later part fails. */
export async function openService({ config, cluster, launcher, log }: ServiceOptions): Promise<Service> {
  await using parts = new AsyncDisposableStack()
  const type = agentTypeOf(cluster, config)
  const queue = queueOf({ cluster: cluster.name, environment: cluster.environment }, type.name)
  const redis = parts.adopt(await openRedis(config.redis, 'worker', { log }), (redis) => redis.disconnect())
  const slots = Math.min(type.maxConcurrency, config.slots ?? DEFAULT_SLOTS)
  const { pool, bundleHash } = await openPool({ config, cluster, launcher, type, slots, log }, parts)
  await publish({ cluster, type, queue, redis, slots, bundleHash }, await describe(pool, cluster, type))
  const cancels = parts.adopt(await openRedis(config.redis, 'worker', { log }), (redis) => redis.disconnect())
  const opening = { config, type, queue, redis, cancels, slots, pool, log }
  const worker = parts.use(await Worker.open(workerOptions(opening, parts)))
  parts.use(openHeartbeat({ redis, queue, worker, pool, slots, level: type.isolation, log }))
  const open = parts.move()
  return { slots, level: type.isolation, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

/** The handler cannot be loaded. Names its file, which the context that tried does not know. */
export class HandlerError extends PermanentError {
  override readonly name = 'HandlerError'
  constructor(agentType: string, file: string, cause: unknown) {
    super(`agent type "${agentType}", ${file}: ${messageOf(cause)}`, { cause })
  }
}

async function describe(pool: ContextPool, { root }: Cluster, { name, handler }: AgentType) {
  const file = handler === undefined ? 'the built-in prompt agent' : relative(root, handler)
  return await pool.describe().catch((cause: unknown) => {
    throw new HandlerError(name, file, cause)
  })
}

function agentTypeOf(cluster: Cluster, config: Config): AgentType {
  const type = Object.hasOwn(cluster.agents, config.agentType) ? cluster.agents[config.agentType] : undefined
  if (!type) throw new PermanentError(`the cluster file has no agent type "${config.agentType}"`)
  return config.isolation ? { ...type, isolation: config.isolation } : type
}

interface Opening {
  config: Config
  type: AgentType
  slots: number
  log: Log
}

async function openPool(
  { config, cluster, launcher, type, slots, log }: Opening & { cluster: Cluster; launcher: LauncherLink },
  parts: AsyncDisposableStack,
) {
  const { handler: file, system, permissions, timeoutMs } = type
  const bundle = await bundleAgent({
    root: cluster.root,
    ...(file ? { file } : {}),
    ...(system ? { system } : {}),
  })
  const spares = Math.min(slots, config.spares ?? DEFAULT_SPARES)
  const limits = {
    memoryBytes: type.memoryLimitBytes,
    timeoutMs,
    graceMs: GRACE_MS,
    outputBytes: OUTPUT_BYTES,
    loadTimeoutMs: LOAD_TIMEOUT_MS,
  }
  const maxContexts = slots + spares + 1
  const pool = await ContextPool.open({ launcher, bundle, limits, permissions, spares, maxContexts, log })
  return { pool: parts.use(pool), bundleHash: bundle.hash }
}

interface Publishing {
  cluster: Cluster
  type: AgentType
  queue: QueueRef
  redis: Redis
  slots: number
  bundleHash: string
}

/** Makes the type known: its schemas to the producer, its concurrency to all workers. */
async function publish(
  { cluster, type, queue, redis, slots, bundleHash }: Publishing,
  schemas: Awaited<ReturnType<ContextPool['describe']>>,
): Promise<void> {
  const { name: agentType, isolation: level, attempts, timeoutMs, maxConcurrency } = type
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const handle = openQueue({ scope, agentType, connection: redis })
  await setMaxConcurrency(handle, maxConcurrency)
  await handle.close()
  const publishedAt = Date.now()
  await publishManifest(redis, queue, {
    agentType,
    ...schemas,
    bundleHash,
    level,
    slots,
    attempts,
    timeoutMs,
    publishedAt,
  })
}

function workerOptions(
  {
    config,
    type,
    queue,
    redis,
    cancels,
    slots,
    pool,
    log,
  }: Opening & { queue: QueueRef; redis: Redis; cancels: Redis; pool: ContextPool },
  parts: AsyncDisposableStack,
): WorkerOptions {
  const publicKey = readPublicKey(config.publicKeyFile)
  const { sidecarSocket, sidecarCredentialFile, producerUrl, apiKeyFile } = config
  const sidecar =
    sidecarSocket && sidecarCredentialFile
      ? openSidecarClient(sidecarSocket, readCredential(sidecarCredentialFile))
      : noSidecar
  const caller =
    producerUrl && apiKeyFile
      ? parts.use(openCaller({ url: producerUrl, apiKey: readCredential(apiKeyFile), log }))
      : noCaller
  const { acceptUnsigned, name: agentType, timeoutMs, memoryMaxAgeMs } = type
  return {
    queue,
    redis,
    cancels,
    slots,
    attempts: type.attempts,
    keepMs: memoryMaxAgeMs,
    drainMs: config.drainMs,
    lockMs: config.lockMs,
    log,
    parts: {
      pool,
      sidecar: parts.use(sidecar),
      timeoutMs,
      verify: (job) =>
        verifyJob(publicKey, { id: job.id!, agentType, data: job.data, acceptUnsigned, now: Date.now() }),
      handlers: openHandlers(log, caller),
      memory: type.type === 'singleton' ? openMemory(redis, queue, memoryMaxAgeMs) : noMemory,
    },
  }
}
