import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue, UnrecoverableError, Worker } from 'bullmq'
import type { Cluster } from '#lib/cluster'
import { ApiKeys } from '#lib/http'
import { openRedis, queueOf } from '#lib/queue'
import { hashCredential, onDispose, type RedisConfig, silentLog } from '#lib/runtime'
import { bullTelemetry, inSpan, openTelemetry } from '#lib/telemetry'
import { openQueues } from '../../../services/console/queues.ts'
import { openServer } from '../../../services/console/server.ts'
import { startRedis } from '../../support/queue-redis.ts'

/** Planted wherever whoever enqueues, or an agent, can put a text. */
export const CANARY = 'canary-sk-77d1'
export const KEY = 'tbk_operator-of-the-test'
export const WORKER_KEY = 'tbk_worker-of-the-test'
export const TRACES = 'http://127.0.0.1:9999'

const cluster = { name: 'test', environment: 'dev', agents: { coder: {}, tester: {} } } as unknown as Cluster

/** A console over a real Redis with one job that completed, one that failed and one scheduler, all full of the canary. */
export async function setup() {
  await using stack = new AsyncDisposableStack()
  const redis = stack.use(await startRedis())
  const folder = await mkdtemp(join(tmpdir(), 'tb-console-'))
  stack.use(onDispose(() => rm(folder, { recursive: true })))
  const apiKeysFile = join(folder, 'keys.json')
  const writeKeys = (...keys: object[]) => writeFile(apiKeysFile, JSON.stringify(keys))
  await writeKeys(
    { hash: hashCredential(KEY), caller: 'operator', tenant: 'default' },
    { hash: hashCredential(WORKER_KEY), caller: 'coder', tenant: 'default', agentType: 'coder' },
  )
  const connection = await openRedis(redis.config, 'worker')
  stack.use(onDispose(() => connection.disconnect()))
  const queues = stack.use(openQueues({ cluster, connection, log: silentLog }))
  const keys = new ApiKeys(apiKeysFile)
  const options = { host: '127.0.0.1', port: 0, cluster, queues, keys, tracesUrl: TRACES, log: silentLog }
  const server = stack.use(await openServer(options))
  const traceId = await fill(redis.config)
  const resources = stack.move()
  return { resources, server, connection, traceId, writeKeys }
}

async function fill(config: RedisConfig): Promise<string> {
  await using stack = new AsyncDisposableStack()
  stack.use(await openTelemetry({ service: 'test' }))
  const connection = await openRedis(config, 'worker')
  stack.use(onDispose(() => connection.disconnect()))
  const { name, prefix } = queueOf({ cluster: 'test', environment: 'dev' }, 'coder')
  const queue = new Queue(name, { connection, prefix, telemetry: bullTelemetry() })
  stack.use(onDispose(() => queue.close()))
  await queue.upsertJobScheduler(
    'nightly',
    { every: 3_600_000, offset: 1 },
    { name: CANARY, data: { input: CANARY } },
  )
  const worker = new Worker(
    name,
    async (job) => {
      await job.log(`log ${CANARY}`)
      await job.updateProgress({ [CANARY]: CANARY })
      if (job.id === 'coder.fails') throw new UnrecoverableError(`${CANARY}: ${CANARY}`)
      return { result: CANARY, [CANARY]: 1 }
    },
    // The mark of a check would end by itself in the middle of a test that nothing changes.
    { connection, prefix, skipStalledCheck: true },
  )
  stack.use(onDispose(() => worker.close()))
  const ended = Promise.withResolvers<void>()
  let left = 2
  const one = () => (--left === 0 ? ended.resolve() : undefined)
  worker.on('completed', one).on('failed', one)
  const metadata = { secret: CANARY, [CANARY]: 'x' }
  const data = { v: CANARY, input: { [CANARY]: CANARY, deep: [{ CANARY }] }, metadata, [CANARY]: CANARY }
  await queue.add(CANARY, data, { jobId: 'coder.fails', backoff: { type: CANARY } })
  const traceId = await inSpan('caller', {}, async (span) => {
    await queue.add('coder', data, { jobId: 'coder.completes' })
    return span.spanContext().traceId
  })
  await ended.promise
  return traceId
}
