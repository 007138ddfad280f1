import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { openRedis } from '#lib/queue'
import { configToEnv } from '#lib/runtime'
import type { Level } from '#lib/wire'
import { startRedis } from '../../support/queue-redis.ts'
import { agentOf, type BenchAgent, type BenchCluster } from './cluster.ts'

const MAIN = fileURLToPath(new URL('../../../services/worker/main.ts', import.meta.url))

/** What a worker beside the cluster is started with. */
export interface AloneOptions {
  cluster: BenchCluster
  level: Level
  /** Spans go to the cluster's trace store, or nowhere. */
  telemetry: boolean
}

/**
 * A worker of the cluster's agent type with a Redis of its own and no sidecar: for what is compared with itself, such as
 * spans against none.
 */
export async function openWorkerAlone(options: AloneOptions): Promise<BenchAgent & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const { cluster, level, telemetry } = options
  const server = stack.use(await startRedis())
  const runtimeDir = stack.adopt(mkdtempSync(join(tmpdir(), 'tb-bw-')), (path) =>
    rmSync(path, { recursive: true, force: true }),
  )
  const redis = stack.adopt(await openRedis(server.config, 'reader'), (redis) => redis.disconnect())
  const agent = agentOf(cluster, level, redis)
  stack.adopt(agent.queue, (queue) => queue.close())
  const env = configToEnv({
    supervised: 1,
    logLevel: 'warn',
    clusterFile: join(cluster.data, 'cluster.json'),
    agentType: agent.ref.name,
    redis: server.config,
    telemetry: telemetry ? traceStoreOf(cluster) : {},
    publicKeyFile: join(cluster.data, 'credentials/signing-key.pub.pem'),
    runtimeDir,
  })
  const worker = stack.use(await startWorker(env))
  const whole = stack.move()
  return { ...agent, workerPid: () => worker.pid, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}

function traceStoreOf({ data }: BenchCluster): { endpoint: string; tokenFile?: string } {
  const { traces, tracesTokenFile } = JSON.parse(readFileSync(join(data, 'up.json'), 'utf8')) as {
    traces: string
    tracesTokenFile?: string
  }
  return { endpoint: traces, ...(tracesTokenFile ? { tokenFile: tracesTokenFile } : {}) }
}

async function startWorker(env: Record<string, string>): Promise<{ pid: number } & AsyncDisposable> {
  const stdio = ['ignore', 'ignore', 'inherit', 'pipe'] as const
  const child = spawn(process.execPath, ['--disable-sigusr1', MAIN], { env, cwd: '/', stdio: [...stdio] })
  const exited = once(child, 'exit')
  const ready = once(createInterface({ input: child.stdio[3] as Readable }), 'line')
  const first = await Promise.race([ready.then(() => true), exited.then(() => false)])
  if (!first) throw new Error('the worker ended before it was ready')
  return {
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
