import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  isLockHeld,
  isRedisUnavailable,
  lockKey,
  openRedis,
  publishManifest,
  publishWorker,
  queueOf,
  readAttempts,
  readManifest,
  readWorkers,
  RedisRefusedError,
  RedisUnavailableError,
  recordAttempt,
  withdrawWorker,
} from '#lib/queue'
import { createLog } from '#lib/runtime'
import { testManifest } from '../../support/producer.ts'
import { startRedis, type TestRedis } from '../../support/queue-redis.ts'

let server: TestRedis
let redis: Redis
beforeAll(async () => {
  server = await startRedis()
  redis = await openRedis(server.config, 'reader')
})
afterAll(async () => {
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})
const scope = { cluster: 'demo', environment: 'test' }
const ref = queueOf(scope, 'writer')

describe('a connection to Redis', () => {
  test('is refused when Redis may evict jobs, also to a user who may not run CONFIG', async () => {
    const few = ['--user', 'few', 'on', '>pw', '~*', '+@all', '-config']
    await using evicting = await startRedis(['--maxmemory-policy', 'allkeys-lru', ...few])
    const passwordFile = join(evicting.dir, 'few')
    await writeFile(passwordFile, 'pw\n')
    for (const config of [evicting.config, { ...evicting.config, user: 'few', passwordFile }]) {
      const opening = openRedis(config, 'producer')
      await expect(opening).rejects.toThrow(RedisRefusedError)
      await expect(opening).rejects.toThrow(/maxmemory-policy is "allkeys-lru", expected "noeviction"/)
    }
  })

  test('that cannot be made says so at once', async () => {
    const started = performance.now()
    await expect(openRedis({ socket: '/nowhere/redis.sock' }, 'producer')).rejects.toThrow(
      RedisUnavailableError,
    )
    await expect(openRedis({ url: 'redis://127.0.0.1:1' }, 'worker')).rejects.toThrow(RedisUnavailableError)
    expect(performance.now() - started).toBeLessThan(5000)
  })

  test('with a wrong password or none is refused with the reason, and never shows a password', async () => {
    const wrong = join(server.dir, 'wrong')
    await writeFile(wrong, 'no-such-password\n')
    const { passwordFile: _, ...bare } = server.config
    for (const config of [bare, { ...bare, passwordFile: wrong }]) {
      const error = await openRedis(config, 'producer').catch((error: unknown) => error)
      expect(error).toBeInstanceOf(RedisRefusedError)
      expect(String(error)).toMatch(/refuses user "default": (NOAUTH|WRONGPASS)/)
      expect(String(error)).not.toContain('no-such-password')
    }
  })

  test('outlives an outage without an unhandled error, and a producer fails at once in it', async () => {
    await using other = await startRedis()
    const log = createLog('test', 'silent')
    const producer = await openRedis(other.config, 'producer', { log })
    const closed = new Promise((resolve) => producer.once('close', resolve))
    await other.kill()
    await closed
    const started = performance.now()
    const error: unknown = await producer.get('x').catch((error: unknown) => error)
    expect(isRedisUnavailable(error)).toBe(true)
    expect(performance.now() - started).toBeLessThan(1000)
    await other.start()
    await expect.poll(() => producer.get('x')).toBeNull()
    producer.disconnect()
  })
})

describe('what is kept beside a queue', () => {
  test('the newest manifest counts, and a malformed or huge one is refused', async () => {
    expect(await readManifest(redis, queueOf(scope, 'nobody'))).toBeUndefined()
    await publishManifest(redis, ref, testManifest('writer'))
    await publishManifest(redis, ref, testManifest('writer', { bundleHash: 'newer' }))
    expect(await readManifest(redis, ref)).toMatchObject({ bundleHash: 'newer' })
    const huge = { description: 'x'.repeat(300_000) }
    await expect(publishManifest(redis, ref, testManifest('writer', { input: huge }))).rejects.toThrow(
      /at most 262144/,
    )
    await redis.set(ref.key('tb:manifest'), '{"agentType":1}')
    await expect(readManifest(redis, ref)).rejects.toThrow(/malformed/)
  })

  test('a worker is listed while it gives signs of life, and no longer', async () => {
    const worker = { id: 'w1', pid: 1, level: 'namespace' as const, slots: 4, active: 1, spares: 2 }
    await publishWorker(redis, ref, worker)
    await publishWorker(redis, ref, { ...worker, id: 'w2' }, 50)
    await publishWorker(redis, ref, { ...worker, id: 'w3' })
    await withdrawWorker(redis, ref, 'w3')
    await expect.poll(async () => (await readWorkers(redis, ref)).map(({ id }) => id)).toEqual(['w1'])
    expect(await readWorkers(redis, ref)).toEqual([worker])
  })

  test('attempts come back in order and go away with their time', async () => {
    const record = {
      attempt: 1,
      outcome: 'failed' as const,
      error: { type: 'x', message: 'y' },
      startedAt: 1,
      endedAt: 2,
      queuedMs: 0,
      runMs: 1,
      receipt: null,
      traceId: 't',
    }
    await recordAttempt(redis, ref, { jobId: 'j', record, ttlMs: 60_000 })
    await recordAttempt(redis, ref, { jobId: 'j', record: { ...record, attempt: 2 }, ttlMs: 60_000 })
    expect(await readAttempts(redis, ref, 'j')).toEqual([record, { ...record, attempt: 2 }])
    await recordAttempt(redis, ref, { jobId: 'j', record, ttlMs: 1 })
    await expect.poll(() => readAttempts(redis, ref, 'j')).toEqual([])
  })

  test('a lock is held by its token alone', async () => {
    await redis.set(lockKey(ref, 'j1'), 'token-1')
    expect(await isLockHeld(redis, ref, { jobId: 'j1', lockToken: 'token-1' })).toBe(true)
    expect(await isLockHeld(redis, ref, { jobId: 'j1', lockToken: 'token-2' })).toBe(false)
    expect(await isLockHeld(redis, ref, { jobId: 'j2', lockToken: 'token-1' })).toBe(false)
  })

  test('every key of a queue carries its one hash tag', async () => {
    const keys = await redis.keys('*')
    expect(keys.length).toBeGreaterThan(0)
    for (const key of keys) expect(key).toMatch(/^\{tb:demo:test:writer\}:writer:/)
  })
})
