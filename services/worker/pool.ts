import type { AgentType, Cluster } from '#lib/cluster'
import {
  buildChildEntry,
  bundleAgent,
  ContextPool,
  fixedSpares,
  type LoadEvents,
  openLauncher,
  type SparePolicy,
  SpareSizing,
} from '#lib/context'
import type { Level, Log } from '#lib/runtime'
import type { Config } from './config.ts'

/** Result, log lines, progress, emitted values, spans and console output of one attempt together, bytes. */
const OUTPUT_BYTES = 2 ** 20
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
  slots: number
  loads: LoadEvents
  log: Log
}

/** Bundles the agent, and opens the launcher and the pool of its contexts. */
export async function openPool(
  { config, cluster, type, slots, loads, log }: PoolParts,
  parts: AsyncDisposableStack,
) {
  const { handler: file, system, isolation: level, permissions, timeoutMs } = type
  const { sidecarSocket: brokerSocket, runtimeDir } = config
  const bundle = await bundleAgent({
    root: cluster.root,
    ...(file ? { file } : {}),
    ...(system ? { system } : {}),
  })
  const entry = await buildChildEntry()
  const spares = sparePolicy(config, level, slots)
  const maxContexts = slots + spares.most + 1
  const launcher = parts.use(
    await openLauncher({
      level,
      runtimeDir,
      entry,
      maxContexts,
      aliveTimeoutMs: Math.floor(config.lockMs * FROZEN_PER_LOCK),
      ...(brokerSocket ? { brokerSocket } : {}),
    }),
  )
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
    maxContexts,
    loads,
    log,
  })
  return { pool: parts.use(pool), bundleHash: bundle.hash, launcher }
}

function sparePolicy({ spares, spareMemoryBytes }: Config, level: Level, slots: number): SparePolicy {
  if (spares !== undefined) return fixedSpares(Math.min(slots, spares))
  return new SpareSizing({ level, slots, budgetBytes: spareMemoryBytes })
}
