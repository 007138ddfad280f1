import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import {
  enqueue,
  type JobQueue,
  openQueue,
  openRedis,
  queueOf,
  type QueueRef,
  readSigningKey,
} from '#lib/queue'
import type { Level } from '#lib/wire'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { type Answer, epochMs, type Running, type Setting, until, type Workload } from './contender.ts'
import { descendants } from './memory.ts'

/** threadbound as `threadbound up` runs it: Redis, Vault, sidecar, one worker process per agent type, the trace store. */

const AGENTS = join(import.meta.dirname, 'agents')
const ROOT = join(import.meta.dirname, '../../..')
const SCOPE = { cluster: 'bench', environment: 'dev' }
const POLL_MS = 50
/** Completions that do not count: those that spares of before the measurement gave. */
const WARM_UP = 12

/** Which agent types a cluster is started with. */
export interface ClusterOptions extends Setting {
  levels: Level[]
  /** An empty folder. */
  folder: string
}

/** A running cluster with one agent type per level. */
export interface BenchCluster extends AsyncDisposable {
  up: TestCluster
  /** Its data directory. */
  data: string
  workload: Workload
  agentType(level: Level): BenchAgent
}

/** One agent type of it, as measurements use it. */
export interface BenchAgent {
  ref: QueueRef
  redis: Redis
  queue: JobQueue
  add(holdMs?: number): Promise<string>
  /** The worker's process. */
  workerPid(): number
}

const nameOf = (workload: Workload, level: Level) => `${workload}-${level}`

export async function openCluster(options: ClusterOptions): Promise<BenchCluster> {
  const { folder, levels, workload, atOnce } = options
  cpSync(AGENTS, join(folder, 'agents'), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  mkdirSync(join(folder, 'data'), { mode: 0o700 })
  const agents = levels.map((isolation) => [
    nameOf(workload, isolation),
    {
      type: 'thread-bound',
      handler: `./agents/${workload}.ts`,
      isolation,
      'max-concurrency': atOnce,
      'accept-unsigned': true,
    },
  ])
  const file = join(folder, 'threadbound.json5')
  const defaults = { attempts: 1, timeout: '30s', 'memory-limit': '50MB' }
  writeFileSync(file, JSON.stringify({ cluster: 'bench', defaults, agents: Object.fromEntries(agents) }))
  const up = await startCluster({ cluster: file, data: join(folder, 'data') })
  const redis = await openRedis(up.ready.redis, 'reader')
  const queues: JobQueue[] = []
  const cluster: BenchCluster = {
    up,
    data: join(folder, 'data'),
    workload,
    agentType(level) {
      const agent = agentOf(cluster, level, redis)
      queues.push(agent.queue)
      return agent
    },
    async [Symbol.asyncDispose]() {
      for (const queue of queues) await queue.close()
      redis.disconnect()
      await up[Symbol.asyncDispose]()
    },
  }
  return cluster
}

/** The agent type of a level; its queue lies in `redis`. */
export function agentOf({ data, workload, up }: BenchCluster, level: Level, redis: Redis): BenchAgent {
  const agentType = nameOf(workload, level)
  const signingKey = readSigningKey(join(data, 'credentials/signing-key.pem'))
  const given = { signingKey, tenant: 'default', caller: 'local', attempts: 1, keepMs: 600_000 }
  const queue = openQueue({ scope: SCOPE, agentType, connection: redis })
  return {
    ref: queueOf(SCOPE, agentType),
    redis,
    queue,
    add: async (holdMs = 0) => (await enqueue(queue, { ...given, input: { holdMs } })).id!,
    workerPid: () => workerOf(agentType, up.child.pid!),
  }
}

function workerOf(agentType: string, supervisor: number): number {
  const found = descendants(supervisor).find((pid) => {
    const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
    return read('environ').includes(`TB_AGENT_TYPE=${agentType}`) && readdirSync(`/proc/${pid}/fd`).length > 0
  })
  if (!found) throw new Error(`no worker serves ${agentType}`)
  return found
}

/** threadbound at one level, measured from what Redis holds of its jobs, so that nothing watches while it runs. */
export function threadbound(level: Level, agent: BenchAgent): Running {
  const primitive = level === 'thread' ? 'bare new Worker' : `bare spawn, ${level} walls`
  return {
    contender: { name: `threadbound ${level}`, walls: level, reused: false, primitive },
    async perSecond(count) {
      const before = await endedOf(agent)
      const all = count + WARM_UP
      await Promise.all(Array.from({ length: all }, () => agent.add()))
      await ended(agent, before + all)
      const times = await endTimes(agent, count + 1)
      return (count * 1000) / (times.at(-1)! - times[0]!)
    },
    async toFirstLine(arrivals) {
      const before = await endedOf(agent)
      const begin = epochMs()
      const asked = await Promise.all(
        arrivals.map(async (ms) => {
          await until(begin + ms)
          const at = epochMs()
          return { at, id: await agent.add() }
        }),
      )
      await ended(agent, before + arrivals.length)
      return Promise.all(asked.map(async ({ at, id }) => (await answerOf(agent, id)).at - at))
    },
    async hold(count, holdMs) {
      const before = await endedOf(agent)
      await Promise.all(Array.from({ length: count }, () => agent.add(holdMs)))
      await ended(agent, before + count)
    },
    processes: () => [agent.workerPid(), ...descendants(agent.workerPid())],
    [Symbol.asyncDispose]: async () => {},
  }
}

/** How many jobs of the type have completed. @throws when one has failed */
export async function endedOf({ redis, ref }: BenchAgent): Promise<number> {
  const [failed] = await redis.zrange(ref.key('failed'), '0', '0')
  if (failed) throw new Error(`${failed}: ${await redis.hget(ref.key(failed), 'failedReason')}`)
  return await redis.zcard(ref.key('completed'))
}

async function ended(agent: BenchAgent, count: number): Promise<void> {
  while ((await endedOf(agent)) < count) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
}

/** When the newest `count` jobs completed, oldest first, ms since the epoch. */
async function endTimes({ redis, ref }: BenchAgent, count: number): Promise<number[]> {
  const found = await redis.zrange(ref.key('completed'), String(-count), '-1', 'WITHSCORES')
  return found.filter((_, at) => at % 2 === 1).map(Number)
}

async function answerOf({ redis, ref }: BenchAgent, id: string): Promise<Answer> {
  const value = await redis.hget(ref.key(id), 'returnvalue')
  return (JSON.parse(value!) as { result: Answer }).result
}
