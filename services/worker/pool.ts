import type { AgentType, Cluster } from '#lib/cluster'
import {
  buildChildEntry,
  bundleAgent,
  ContextPool,
  fixedSpares,
  type LauncherLink,
  type LoadEvents,
  openLauncher,
  type SparePolicy,
  SpareSizing,
} from '#lib/context'
import { type Level, type Log, PermanentError } from '#lib/runtime'
import type { Config } from './config.ts'

/** Result, log lines, progress, emitted values, spans and console output of one attempt together, bytes. */
const OUTPUT_BYTES = 2 ** 20
const DEFAULT_SLOTS = 16
const GRACE_MS = 500
const LOAD_TIMEOUT_MS = 10_000
/**
 * The attempts of a worker that is frozen, or whose locks Redis does not confirm, are over before its locks are, so that
 * no job runs twice at once: a quarter of the lock's time is trust, half is silence, the rest is for the kill.
 */
const FROZEN_PER_LOCK = 1 / 2

/** What a worker's contexts depend on. */
export interface PoolParts {
  config: Config
  cluster: Cluster
  type: AgentType
  launcher: LauncherLink
  slots: number
  loads: LoadEvents
  log: Log
}

/**
 * Starts the launcher, which keeps the rights that this process gives up next: so before anything else, and with
 * nothing read but our own code. It is told all that it will ever know of the host.
 */
export async function openServiceLauncher(config: Config, cluster: Cluster): Promise<LauncherLink> {
  const { sidecarSocket: brokerSocket, runtimeDir, runAs } = config
  const type = agentTypeOf(cluster, config)
  const slots = slotsOf(type, config)
  return openLauncher({
    level: type.isolation,
    runtimeDir,
    entry: await buildChildEntry(),
    maxContexts: maxContexts(slots, sparePolicy(config, type.isolation, slots)),
    aliveTimeoutMs: Math.floor(config.lockMs * FROZEN_PER_LOCK),
    ...(brokerSocket ? { brokerSocket } : {}),
    ...(runAs ? { hostUid: runAs.uid, hostGid: runAs.gid } : {}),
  })
}

/** The agent type that the configuration names, at the level that holds here. @throws PermanentError when there is none */
export function agentTypeOf(cluster: Cluster, config: Config): AgentType {
  const type = Object.hasOwn(cluster.agents, config.agentType) ? cluster.agents[config.agentType] : undefined
  if (!type) throw new PermanentError(`the cluster file has no agent type "${config.agentType}"`)
  return config.isolation ? { ...type, isolation: config.isolation } : type
}

/** Attempts at once in this process. */
export const slotsOf = (type: AgentType, config: Config) =>
  Math.min(type.maxConcurrency, config.slots ?? DEFAULT_SLOTS)

const maxContexts = (slots: number, spares: SparePolicy) => slots + spares.most + 1

/** Bundles the agent, and opens the pool of its contexts. */
export async function openPool(
  { config, cluster, type, launcher, slots, loads, log }: PoolParts,
  parts: AsyncDisposableStack,
) {
  const { handler: file, system, isolation: level, permissions, timeoutMs } = type
  const bundle = await bundleAgent({
    root: cluster.root,
    ...(file ? { file } : {}),
    ...(system ? { system } : {}),
  })
  const spares = sparePolicy(config, level, slots)
  const limits = {
    memoryBytes: type.memoryLimitBytes,
    timeoutMs,
    graceMs: GRACE_MS,
    outputBytes: OUTPUT_BYTES,
    loadTimeoutMs: LOAD_TIMEOUT_MS,
  }
  const pool = await ContextPool.open({
    launcher,
    bundle,
    limits,
    permissions,
    spares,
    maxContexts: maxContexts(slots, spares),
    loads,
    log,
  })
  return { pool: parts.use(pool), bundleHash: bundle.hash }
}

function sparePolicy({ spares, spareMemoryBytes }: Config, level: Level, slots: number): SparePolicy {
  if (spares !== undefined) return fixedSpares(Math.min(slots, spares))
  return new SpareSizing({ level, slots, budgetBytes: spareMemoryBytes })
}
