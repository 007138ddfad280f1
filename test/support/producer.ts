import { generateKeyPairSync } from 'node:crypto'
import { type Job, Worker } from 'bullmq'
import type { AgentType, Cluster } from '#lib/cluster'
import { listen } from '#lib/http'
import {
  type JobData,
  type JobResult,
  type Manifest,
  openRedis,
  publicKeyOf,
  publishManifest,
  queueOf,
} from '#lib/queue'
import { hashCredential, silentLog, systemClock } from '#lib/runtime'
import { openAgentTypes } from '../../services/producer/agent-types.ts'
import { EndWatch } from '../../services/producer/end-watch.ts'
import { buildServer } from '../../services/producer/server.ts'
import type { TestRedis } from './queue-redis.ts'

export const KEYS = {
  shop: 'tbk_shop',
  other: 'tbk_other',
  coordinator: 'tbk_coordinator',
}
export const INPUT_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    question: { type: 'string', maxLength: 100 },
    rows: { type: 'array', items: { type: 'number' } },
  },
  required: ['question'],
  additionalProperties: false,
}

/** A cluster of a coordinator that may call a writer, and a writer that may call nobody. */
export function testCluster(name: string): Cluster {
  const agents = {
    coordinator: testAgent('coordinator', { mayCall: ['writer'] }),
    writer: testAgent('writer', { acceptUnsigned: true }),
    'not-started': testAgent('not-started'),
  }
  const alerts = { concurrencyAbovePercent: 90, unexpectedSource: true, rotationFailed: true }
  return {
    name,
    environment: 'test',
    file: '/c.yaml',
    root: '/',
    development: { standIn: [] },
    agents,
    models: [],
    secrets: {},
    alerts,
  }
}

function testAgent(name: string, more: Partial<AgentType> = {}): AgentType {
  return {
    name,
    type: 'thread-bound',
    isolation: 'namespace',
    maxConcurrency: 5,
    memoryLimitBytes: 5e7,
    timeoutMs: 1000,
    attempts: 2,
    permissions: [],
    secrets: [],
    mayCall: [],
    acceptUnsigned: false,
    trustedCode: false,
    memoryMaxAgeMs: 60_000,
    ...more,
  }
}

export function testManifest(agentType: string, more: Partial<Manifest> = {}): Manifest {
  return {
    agentType,
    input: INPUT_SCHEMA,
    output: null,
    bundleHash: 'b',
    level: 'namespace',
    slots: 2,
    attempts: 2,
    timeoutMs: 1000,
    publishedAt: 0,
    ...more,
  }
}

const apiKeys = [
  { hash: hashCredential(KEYS.shop), caller: 'shop', tenant: 'acme' },
  { hash: hashCredential(KEYS.other), caller: 'spy', tenant: 'rival' },
  {
    hash: hashCredential(KEYS.coordinator),
    caller: 'coordinator',
    tenant: 'default',
    agentType: 'coordinator',
  },
]

/** A producer in this process, with real HTTP and a real Redis; nobody works on its queues yet. */
export async function startProducer(redisServer: TestRedis, name = 'demo') {
  const cluster = testCluster(name)
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const { privateKey: signingKey } = generateKeyPairSync('ed25519')
  const stack = new AsyncDisposableStack()
  const redis = await openRedis(redisServer.config, 'producer')
  stack.defer(() => redis.disconnect())
  await publishManifest(redis, queueOf(scope, 'writer'), testManifest('writer'))
  await publishManifest(redis, queueOf(scope, 'coordinator'), testManifest('coordinator', { input: null }))
  const types = stack.use(await openAgentTypes({ cluster, redis, log: silentLog }))
  const connect = () => openRedis(redisServer.config, 'worker')
  const watch = stack.use(new EndWatch({ redis, log: silentLog, connect }))
  const publicKey = publicKeyOf(signingKey)
  const producer = { scope, types, redis, signingKey, publicKey, clock: systemClock, log: silentLog }
  const app = buildServer({ producer, keys: apiKeys, watch })
  const server = stack.use(await listen(app, { host: '127.0.0.1', port: 0 }))
  return {
    url: server.url,
    redis,
    scope,
    publicKey,
    signingKey,
    types,
    watch,
    writer: types.get('writer'),
    post: (body: unknown, headers: Record<string, string> = {}) => post(server.url, body, headers),
    get: (path: string, key = KEYS.shop, signal?: AbortSignal) => get(server.url, path, key, signal),
    close: () => stack.disposeAsync(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
export type TestProducer = Awaited<ReturnType<typeof startProducer>>

/** What a caller sees of an answer. */
export interface Answer {
  status: number
  headers: Headers
  body: any
}

async function post(url: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return answer(
    await fetch(`${url}/v1/requests`, {
      method: 'POST',
      body: text,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEYS.shop}`, ...headers },
    }),
  )
}

async function get(url: string, path: string, key: string, signal?: AbortSignal): Promise<Answer> {
  const headers = { authorization: `Bearer ${key}` }
  return answer(await fetch(`${url}${path}`, { headers, ...(signal ? { signal } : {}) }))
}

async function answer(response: Response): Promise<Answer> {
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  }
}

/** Works on a queue the way a worker does, with plain BullMQ. */
export async function startWorker(
  redisServer: TestRedis,
  scope: { cluster: string; environment: string },
  work: (job: Job<JobData, JobResult>, token: string) => Promise<JobResult>,
  agentType = 'writer',
): Promise<AsyncDisposable> {
  const connection = await openRedis(redisServer.config, 'worker')
  const { name, prefix } = queueOf(scope, agentType)
  const worker = new Worker<JobData, JobResult>(name, (job, token = '') => work(job, token), {
    connection,
    prefix,
  })
  worker.on('error', () => {})
  await worker.waitUntilReady()
  return {
    async [Symbol.asyncDispose]() {
      await worker.close(true)
      connection.disconnect()
    },
  }
}
