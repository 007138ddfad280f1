import { distance } from 'fastest-levenshtein'
import type { Redis } from 'ioredis'
import type { AgentType, Cluster } from '#lib/cluster'
import {
  type JobQueue,
  type Manifest,
  openQueue,
  queueOf,
  type QueueRef,
  readManifest,
  setMaxConcurrency,
} from '#lib/queue'
import { type Log, onDispose } from '#lib/runtime'
import { bullTelemetry } from '#lib/telemetry'
import { ProblemError } from './problem.ts'

/** A manifest read again after this long: a new version of an agent is seen within it. */
const MANIFEST_TTL_MS = 1000

/** One agent type as the producer needs it: what the cluster file says, its queue, and what its worker published. */
export interface ServedType {
  agentType: AgentType
  ref: QueueRef
  queue: JobQueue
  /** What the type's worker published; undefined before one was ready. At most a second old. */
  manifest: () => Promise<Manifest | undefined>
}

/** All agent types of a cluster. */
export interface ServedTypes extends AsyncDisposable {
  all: ServedType[]
  /** @throws ProblemError `unknown-agent`, with the nearest name */
  get(name: string): ServedType
  find(name: string): ServedType | undefined
}

/** Opens the queue of every agent type and sets its max-concurrency. */
export async function openAgentTypes(options: {
  cluster: Cluster
  redis: Redis
  log: Log
}): Promise<ServedTypes> {
  const { cluster, redis, log } = options
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const served = new Map<string, ServedType>()
  for (const agentType of Object.values(cluster.agents)) {
    const ref = queueOf(scope, agentType.name)
    const telemetry = bullTelemetry()
    const queue = openQueue({ scope, agentType: agentType.name, connection: redis, telemetry, log })
    await setMaxConcurrency(queue, agentType.maxConcurrency)
    served.set(agentType.name, { agentType, ref, queue, manifest: cached(() => readManifest(redis, ref)) })
  }
  const closing = onDispose(async () => {
    await Promise.all([...served.values()].map(({ queue }) => queue.close()))
  })
  return Object.assign(closing, {
    all: [...served.values()],
    find: (name: string) => served.get(name),
    get: (name: string) => served.get(name) ?? unknownAgent(name, [...served.keys()]),
  })
}

function unknownAgent(name: string, known: string[]): never {
  const near = known
    .map((candidate) => ({ candidate, far: distance(name.slice(0, 100), candidate) }))
    .toSorted((a, b) => a.far - b.far)[0]
  const hint = near && near.far <= Math.max(2, name.length / 3) ? `; did you mean "${near.candidate}"?` : ''
  const quoted = JSON.stringify(name.slice(0, 100))
  throw new ProblemError('unknown-agent', `agent: there is no agent ${quoted}${hint}`, { field: 'agent' })
}

/** Keeps a value for a second; never the absence of one, and never a failure. */
function cached<T>(read: () => Promise<T | undefined>): () => Promise<T | undefined> {
  let value: T | undefined
  let readAt = -Infinity
  return async () => {
    if (value !== undefined && performance.now() - readAt < MANIFEST_TTL_MS) return value
    value = await read()
    readAt = performance.now()
    return value
  }
}
