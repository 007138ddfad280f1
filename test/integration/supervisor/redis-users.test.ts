import { Queue, QueueEvents, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  isLockHeld,
  lockKey,
  noteHead,
  openQueue,
  queueOf,
  publishAlert,
  readAlerts,
  readHead,
  redisUsers,
  type RedisUser,
  serviceKeys,
  setMaxConcurrency,
} from '#lib/queue'
import { startRedis, type TestRedis } from '../../support/redis.ts'

const scope = { cluster: 'demo', environment: 'dev' }
const open = queueOf(scope, 'open')
const shut = queueOf(scope, 'shut')
const REFUSED = /NOPERM|No permissions|can't (?:run this command|access at least one of the keys)/i
const USERS = redisUsers([{ name: 'open' }, { name: 'shut' }])
const ADMINISTRATION =
  `keys *, scan 0, randomkey, dbsize, config get *, config set maxmemory 1, flushall, flushdb,
script flush, function list, function flush, acl list, acl whoami, monitor, client list, client kill id 1,
shutdown nosave, replicaof no one, swapdb 0 1, save, bgrewriteaof, slowlog get, latency reset, module list,
subscribe x, psubscribe *, publish x y, sort x get *`.split(/,\s/)

let redis: TestRedis
let admin: Redis
const clients = new Map<RedisUser, Redis>()
const as = (user: RedisUser): Redis => clients.get(user) ?? clients.set(user, redis.client(user)).get(user)!

beforeAll(async () => {
  redis = await startRedis()
  admin = redis.client()
  await admin.set(open.key('x'), 'open').then(() => admin.set(shut.key('x'), 'shut'))
})
afterAll(async () => {
  for (const client of clients.values()) client.disconnect()
  admin.disconnect()
  await redis[Symbol.asyncDispose]()
})

/** `yes`, or `no` where Redis refuses the user. */
const may = (user: RedisUser, command: string, ...args: string[]) =>
  as(user)
    .call(command, args)
    .then(
      () => 'yes',
      (error: Error) => (REFUSED.test(error.message) ? 'no' : error.message),
    )

describe('G8 one Redis user for each service', () => {
  test.each(USERS)('%s administers nothing, and cannot list the keys of others', async (user) => {
    for (const line of ADMINISTRATION) {
      const [command, ...args] = line.split(' ') as [string, ...string[]]
      expect(await may(user, command, ...args), line).toBe('no')
    }
    expect(await may(user, 'ping')).toBe('yes')
  })

  test.each<[RedisUser, { reads: string; writes: string }, { reads: string; writes: string }]>([
    ['probe', { reads: 'no', writes: 'no' }, { reads: 'no', writes: 'no' }],
    ['enqueue', { reads: 'yes', writes: 'yes' }, { reads: 'no', writes: 'no' }],
    ['producer', { reads: 'yes', writes: 'yes' }, { reads: 'yes', writes: 'yes' }],
    ['sidecar', { reads: 'no', writes: 'no' }, { reads: 'no', writes: 'no' }],
    ['console', { reads: 'yes', writes: 'no' }, { reads: 'yes', writes: 'no' }],
    ['worker-open', { reads: 'yes', writes: 'yes' }, { reads: 'no', writes: 'no' }],
    ['worker-shut', { reads: 'no', writes: 'no' }, { reads: 'yes', writes: 'yes' }],
  ])('%s may on the queue of "open": %o, of "shut": %o', async (user, onOpen, onShut) => {
    for (const [queue, expected] of [
      [open, onOpen],
      [shut, onShut],
    ] as const) {
      expect(await may(user, 'get', queue.key('x'))).toBe(expected.reads)
      expect(await may(user, 'set', queue.key('x'), 'y')).toBe(expected.writes)
      const script = `return redis.call('set', '${queue.key('x')}', 'z')`
      if (user !== 'probe' && user !== 'sidecar')
        expect(await may(user, 'eval', script, '0'), 'a key that the script did not declare').toBe(
          expected.writes,
        )
    }
  })

  test('a worker hears and sends messages of its own queue alone', async () => {
    const channel = { own: open.key('wake'), other: shut.key('wake') }
    expect(await may('worker-open', 'publish', channel.own, '')).toBe('yes')
    expect(await may('worker-open', 'publish', channel.other, '')).toBe('no')
    const listener = redis.client('worker-open')
    await listener.subscribe(channel.own)
    await expect(listener.subscribe(channel.other)).rejects.toThrow(REFUSED)
    listener.disconnect()
    for (const user of ['enqueue', 'sidecar', 'console', 'probe'] as const)
      expect(await may(user, 'publish', channel.own, ''), user).toBe('no')
  })

  test('the sidecar reads locks and tells: alerts, and how far its audit log goes', async () => {
    const keys = serviceKeys(scope, 'sidecar')
    await publishAlert(as('sidecar'), open, { name: 'x', severity: 'info', labels: {}, at: 1, trace: null })
    expect(await readAlerts(as('console'), open)).toHaveLength(1)
    await noteHead(as('sidecar'), keys, { seq: 7, hash: 'a' })
    await noteHead(as('sidecar'), keys, { seq: 8, hash: 'b' })
    expect(await readHead(as('sidecar'), keys)).toEqual({ seq: 8, hash: 'b' })
    expect(await readHead(as('console'), keys)).toEqual({ seq: 8, hash: 'b' })
    await expect(noteHead(as('console'), keys, { seq: 9, hash: 'c' })).rejects.toThrow(REFUSED)
    await expect(noteHead(as('worker-open'), keys, { seq: 9, hash: 'c' })).rejects.toThrow(REFUSED)
    await admin.set(lockKey(open, 'open.1'), 'token')
    expect(await isLockHeld(as('sidecar'), open, { jobId: 'open.1', lockToken: 'token' })).toBe(true)
    expect(await may('sidecar', 'set', lockKey(open, 'open.1'), 'mine')).toBe('no')
    expect(await may('sidecar', 'eval', 'return 1', '0')).toBe('no')
    expect(await may('sidecar', 'get', 'other:lock')).toBe('no')
  })

  test('with its own user alone each service does its work', async () => {
    const queue = openQueue({ scope, agentType: 'shut', connection: as('producer') })
    await setMaxConcurrency(queue, 2)
    const events = new QueueEvents('shut', {
      connection: redis.client('producer', null),
      prefix: shut.prefix,
    })
    await events.waitUntilReady()
    const worker = new Worker('shut', async () => 'done', {
      connection: redis.client('worker-shut', null),
      prefix: shut.prefix,
    })
    const failures: Error[] = []
    const failed = (error: Error) => failures.push(error)
    queue.on('error', failed)
    events.on('error', failed)
    worker.on('error', failed)
    const job = await queue.add('shut', { input: 1 } as never)
    expect(await job.waitUntilFinished(events, 20_000)).toBe('done')
    const seen = new Queue('shut', { connection: as('console'), prefix: shut.prefix, skipMetasUpdate: true })
    expect(await seen.getJobCounts()).toMatchObject({ completed: 1 })
    expect(await seen.getJobs()).toHaveLength(1)
    expect((await seen.getJobLogs(job.id!)).logs).toEqual([])
    await expect(seen.add('shut', {})).rejects.toThrow(REFUSED)
    await Promise.all([worker.close(), events.close(), queue.close(), seen.close()])
    expect(failures).toEqual([])
  })

  test('whoever enqueues with plain BullMQ can add jobs where unsigned ones are accepted', async () => {
    const connection = as('enqueue')
    const queue = new Queue('open', { connection, prefix: open.prefix })
    for (const options of [{}, { delay: 1000 }, { priority: 3 }])
      expect((await queue.add('open', { input: 'x' }, options)).id).toBeTypeOf('string')
    const other = new Queue('shut', { connection, prefix: shut.prefix, skipMetasUpdate: true })
    await expect(other.add('shut', {})).rejects.toThrow(REFUSED)
    await Promise.all([queue.close(), other.close()])
  })
})
