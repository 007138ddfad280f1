import { spawn } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { expect } from 'vitest'
import { type Cluster, loadCluster } from '#lib/cluster'
import {
  enqueue,
  type EnqueueOptions,
  openQueue,
  openRedis,
  queueOf,
  readRequest,
  type RequestView,
} from '#lib/queue'
import { configToEnv, silentLog } from '#lib/runtime'
import { type Config, Config as ConfigSchema } from '../../services/worker/config.ts'
import { openServiceLauncher } from '../../services/worker/pool.ts'
import { openService, type Service } from '../../services/worker/service.ts'
import { descendants } from './cluster.ts'
import { walled } from './contexts.ts'
import { Gates } from './gates.ts'
import { startRedis, type TestRedis } from './queue-redis.ts'

const CLUSTER_FILE = fileURLToPath(new URL('workers/threadbound.yaml', import.meta.url))
const MAIN = fileURLToPath(new URL('../../services/worker/main.ts', import.meta.url))
export const API_KEY = 'tbk_worker'

/** A worker as a process of its own. */
export interface WorkerProcess extends AsyncDisposable {
  pid: number
  /** Its launcher, the launcher's helpers and every context. */
  below(): number[]
  launcherPid(): number
  kill(signal: NodeJS.Signals): void
  exited: Promise<number | string>
  /** What it wrote. */
  said(): string
}

/** A Redis, a stand-in producer, a key that signs, and workers of the types in test/support/workers. */
export class WorkerWorld implements AsyncDisposable {
  readonly redisServer: TestRedis
  readonly gates: Gates
  readonly cluster: Cluster
  readonly redis: Redis
  readonly signingKey: KeyObject
  readonly #publicKey: KeyObject
  readonly #dir: string
  readonly #open = new AsyncDisposableStack()
  #count = 0

  private constructor(parts: { redisServer: TestRedis; gates: Gates; cluster: Cluster; redis: Redis }) {
    this.redisServer = parts.redisServer
    this.gates = parts.gates
    this.cluster = parts.cluster
    this.redis = parts.redis
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    this.signingKey = privateKey
    this.#publicKey = publicKey
    this.#dir = mkdtempSync(join(tmpdir(), 'tb-w-'))
    writeFileSync(join(this.#dir, 'public.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
    writeFileSync(join(this.#dir, 'api-key'), API_KEY)
    writeFileSync(join(this.#dir, 'credential'), 'credential')
  }

  static async open(clusterFile = CLUSTER_FILE): Promise<WorkerWorld> {
    const redisServer = await startRedis()
    return new WorkerWorld({
      redisServer,
      gates: await Gates.open(),
      cluster: await loadCluster(clusterFile),
      redis: await openRedis(redisServer.config, 'reader'),
    })
  }

  queueOf(agentType: string) {
    return queueOf(this.scope, agentType)
  }

  get scope() {
    return { cluster: this.cluster.name, environment: this.cluster.environment }
  }

  /** A worker in this process. */
  async openWorker(agentType: string, more: Partial<Config> = {}): Promise<Service> {
    const config = ConfigSchema.parse(this.#config(agentType, more))
    const launcher = openServiceLauncher(config, this.cluster)
    return await openService({ config, cluster: this.cluster, launcher, log: silentLog })
  }

  /** A worker as `up` starts it; resolves when it says that it is ready, rejects with its words when it ends before. */
  async spawnWorker(
    agentType: string,
    more: Partial<Config> = {},
    nodeArguments: string[] = [],
  ): Promise<WorkerProcess> {
    const env = configToEnv({ supervised: 1, ...this.#config(agentType, more) })
    const stdio = ['ignore', 'pipe', 'pipe', 'pipe'] as const
    const child = spawn(process.execPath, ['--disable-sigusr1', ...nodeArguments, MAIN], {
      env,
      cwd: '/',
      stdio: [...stdio],
    })
    let said = ''
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
    const ready = once(createInterface({ input: child.stdio[3] as never }), 'line')
    const end = await Promise.race([ready.then(() => undefined), exited])
    if (end !== undefined) throw Object.assign(new Error(said), { exitCode: end })
    const worker = {
      pid: child.pid!,
      below: () => descendants(child.pid!),
      launcherPid: () => descendants(child.pid!)[0]!,
      kill: (signal: NodeJS.Signals) => void child.kill(signal),
      exited,
      said: () => said,
      async [Symbol.asyncDispose]() {
        child.kill('SIGKILL')
        await exited
      },
    }
    return this.#open.use(worker)
  }

  #config(agentType: string, more: Partial<Config>): Record<string, unknown> {
    const runtimeDir = mkdtempSync(join(this.#dir, `${this.#count++}-`))
    return {
      clusterFile: this.cluster.file,
      agentType,
      redis: this.redisServer.config,
      telemetry: {},
      producerUrl: this.gates.url,
      apiKeyFile: join(this.#dir, 'api-key'),
      publicKeyFile: join(this.#dir, 'public.pem'),
      runtimeDir,
      isolation: walled.at(-1),
      spares: 1,
      ...more,
    }
  }

  /** What a worker shows a sidecar. */
  get credentialFile(): string {
    return join(this.#dir, 'credential')
  }

  /** Adds a signed job; gives its id. */
  async add(agentType: string, input: unknown, more: Partial<EnqueueOptions> = {}): Promise<string> {
    await using queue = this.queue(agentType)
    const { signingKey } = this
    const attempts = this.cluster.agents[agentType]!.attempts
    const given = { signingKey, input, tenant: 'acme', caller: 'shop', attempts, keepMs: 60_000, ...more }
    return (await enqueue(queue.queue, given)).id!
  }

  /** Adds a job as plain BullMQ does. */
  async addPlain(agentType: string, data: unknown, opts: object = {}): Promise<string> {
    const { name, prefix } = this.queueOf(agentType)
    const queue = new Queue(name, { connection: this.redis, prefix })
    try {
      return (
        await queue.add('request', data, {
          attempts: 3,
          jobId: `${agentType}.plain${++this.#count}`,
          ...opts,
        })
      ).id!
    } finally {
      await queue.close()
    }
  }

  queue(agentType: string) {
    const queue = openQueue({ scope: this.scope, agentType, connection: this.redis })
    return { queue, [Symbol.asyncDispose]: () => queue.close() }
  }

  /** What a caller would read of a request. */
  async view(id: string): Promise<RequestView> {
    const ref = this.queueOf(id.split('.')[0]!)
    await using queue = this.queue(ref.name)
    const found = await readRequest({
      redis: this.redis,
      queue: queue.queue,
      ref,
      id,
      publicKey: this.#publicKey,
    })
    return found!.view
  }

  /** The request once it has ended. */
  async ended(id: string, timeout = 50_000): Promise<RequestView> {
    await expect.poll(async () => (await this.view(id)).state, { timeout, interval: 20 }).toBe('ended')
    return await this.view(id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.disposeAsync()
    await this.gates[Symbol.asyncDispose]()
    this.redis.disconnect()
    await this.redisServer[Symbol.asyncDispose]()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
