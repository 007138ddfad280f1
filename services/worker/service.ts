import { type AgentType, type Cluster } from '#lib/cluster'
import type { ContextPool, LauncherLink } from '#lib/context'
import {
  openQueue,
  openRedis,
  publishManifest,
  type QueueRef,
  queueOf,
  readPublicKey,
  setMaxConcurrency,
  verifyJob,
  openAlerts,
  type RaiseAlert,
} from '#lib/queue'
import { type Level, type Log, readCredential } from '#lib/runtime'
import type { Redis } from 'ioredis'
import { relative } from 'node:path'
import { alertOfStart } from './alerts.ts'
import { noCaller, openCaller } from './calls.ts'
import type { Config } from './config.ts'
import { HandlerError } from './errors.ts'
import { openHandlers } from './handlers.ts'
import { openHeartbeat } from './heartbeat.ts'
import { openLoadWatch } from './load-watch.ts'
import { noMemory, openMemory } from './memory.ts'
import { openOutgoing } from './open-outgoing.ts'
import { agentTypeOf, openPool, slotsOf } from './pool.ts'
import { noRedaction, RedactionLink } from './redaction.ts'
import { noSidecar, openSidecarClient } from './sidecar-client.ts'
import { nobody, openSuspicion } from './suspicion.ts'
import { Worker, type WorkerOptions } from './worker.ts'

/** A worker that serves its queue. Disposing it drains and gives everything back. */
export interface Service extends AsyncDisposable {
  readonly slots: number
  readonly level: string
  /** Resolves when the launcher is gone: worker and launcher end together. */
  readonly launcherGone: Promise<void>
}

export interface ServiceOptions {
  config: Config
  cluster: Cluster
  /** From {@link openServiceLauncher}; it is the service's from here on. */
  launcher: Promise<LauncherLink>
  log: Log
}

/** Opens all parts of a worker in order of need; what was opened is disposed when a later part fails. */
export async function openService(options: ServiceOptions): Promise<Service> {
  const { config, cluster, log } = options
  await using parts = new AsyncDisposableStack()
  parts.defer(async () => (await options.launcher.catch(() => undefined))?.[Symbol.asyncDispose]())
  const type = agentTypeOf(cluster, config)
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const queue = queueOf(scope, type.name)
  const redis = parts.adopt(await openRedis(config.redis, 'worker', { log }), (redis) => redis.disconnect())
  const raise = openAlerts(redis, queue, log)
  const slots = slotsOf(type, config)
  const opening = { config, type, queue, redis, slots, log }
  try {
    const loads = parts.use(openLoadWatch({ ...opening, scope, raise }))
    const launcher = await options.launcher
    const { pool, bundleHash } = await openPool({ ...opening, cluster, launcher, loads }, parts)
    await publish({ ...opening, cluster, bundleHash }, await describe(pool, cluster, type))
    const cancels = parts.adopt(await openRedis(config.redis, 'worker', { log }), (redis) =>
      redis.disconnect(),
    )
    const worker = parts.use(await Worker.open(workerOptions({ ...opening, cancels, pool }, parts)))
    launcher.aliveWhile(() => worker.holdsLocks)
    parts.use(openHeartbeat({ ...opening, worker, pool, level: type.isolation }))
    return serviceOf(parts.move(), { slots, level: type.isolation, launcherGone: launcher.closed, raise })
  } catch (error) {
    await alertOfStart(raise, error)
    throw error
  }
}

interface Opened {
  slots: number
  level: Level
  launcherGone: Promise<void>
  raise: RaiseAlert
}

function serviceOf(open: AsyncDisposableStack, { slots, level, launcherGone, raise }: Opened): Service {
  let ending = false
  return {
    slots,
    level,
    launcherGone: launcherGone.then(() => (ending ? undefined : raise('launcher-lost', 'warning'))),
    [Symbol.asyncDispose]() {
      ending = true
      return open.disposeAsync()
    },
  }
}

async function describe(pool: ContextPool, { root }: Cluster, { name, handler }: AgentType) {
  const file = handler === undefined ? 'the built-in prompt agent' : relative(root, handler)
  return await pool.describe().catch((cause: unknown) => {
    throw new HandlerError(name, file, cause)
  })
}

interface Opening {
  config: Config
  type: AgentType
  slots: number
  log: Log
}

interface Beside {
  queue: QueueRef
  redis: Redis
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
  }: Opening & Beside & { cancels: Redis; pool: ContextPool },
  parts: AsyncDisposableStack,
): WorkerOptions {
  const publicKey = readPublicKey(config.publicKeyFile)
  const { producerUrl, apiKeyFile } = config
  const { sidecar, redaction } = openSidecar(config)
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
      redaction: parts.use(redaction),
      outgoing: openOutgoing(redaction, log),
      timeoutMs,
      verify: (job) =>
        verifyJob(publicKey, { id: job.id!, agentType, data: job.data, acceptUnsigned, now: Date.now() }),
      handlers: openHandlers(log, caller),
      isSuspect: type.isolation === 'thread' ? openSuspicion(redis, queue) : nobody,
      memory: type.type === 'singleton' ? openMemory(redis, queue, memoryMaxAgeMs) : noMemory,
    },
  }
}

/** What a worker needs of the sidecar beside it: grants, and the word on what may leave. */
function openSidecar({ sidecarSocket: path, sidecarCredentialFile }: Config) {
  if (!path || !sidecarCredentialFile) return { sidecar: noSidecar, redaction: noRedaction }
  const credential = readCredential(sidecarCredentialFile)
  return {
    sidecar: openSidecarClient(path, credential),
    redaction: new RedactionLink({ path, credential }),
  }
}
