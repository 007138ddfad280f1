import { openRedis } from '#lib/queue'
import { onDispose } from '#lib/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LockLostError, underLock } from '../../services/rotator/lock.ts'
import { startRedis, type TestRedis } from '../support/queue-redis.ts'
import { TurnedClock } from '../support/turned-clock.ts'

let server: TestRedis
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server?.[Symbol.asyncDispose]())

async function setup() {
  const redis = await openRedis(server.config, 'reader')
  await redis.flushall()
  const clock = new TurnedClock()
  const signal = new AbortController().signal
  const lock = { redis, key: 'lock', signal, clock }
  return { redis, clock, lock, ...onDispose(() => redis.disconnect()) }
}

/** Something that goes on until it is told to end. */
const until = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

test('a lock that another holds is not waited for, unless it is asked for', async () => {
  await using world = await setup()
  const held = Promise.withResolvers<void>()
  const first = underLock(world.lock, () => held.promise.then(() => 'first'))
  await expect.poll(() => world.redis.exists('lock')).toBe(1)
  expect(await underLock(world.lock, async () => 'second')).toBeUndefined()
  const third = underLock({ ...world.lock, waitMs: 5000 }, async () => 'third')
  held.resolve()
  expect(await first).toBe('first')
  await expect.poll(() => world.clock.sleeping).toBe(1)
  await world.clock.advance(100)
  expect(await third).toBe('third')
  expect(await world.redis.exists('lock')).toBe(0)
})

test('a lock is kept for as long as it is needed, and given back when its use fails', async () => {
  await using world = await setup()
  const failing = Promise.withResolvers<void>()
  const used = underLock(world.lock, () => failing.promise)
  await expect.poll(() => world.redis.exists('lock')).toBe(1)
  await world.redis.pexpire('lock', 4500)
  await world.clock.advance(4000)
  await expect.poll(() => world.redis.pttl('lock')).toBeGreaterThan(5000)
  failing.reject(new Error('no'))
  await expect(used).rejects.toThrow('no')
  expect(await world.redis.exists('lock')).toBe(0)
})

test('who has lost the lock is told, and leaves it to its new holder', async () => {
  await using world = await setup()
  const used = underLock(world.lock, until)
  used.catch(() => {})
  await expect.poll(() => world.redis.exists('lock')).toBe(1)
  await world.redis.set('lock', 'another')
  await world.clock.advance(4000)
  await expect(used).rejects.toThrow(LockLostError)
  expect(await world.redis.get('lock')).toBe('another')
})

test('while Redis is away a lock is trusted no longer than Redis would keep it', async () => {
  await using world = await setup()
  const used = underLock(world.lock, until)
  used.catch(() => {})
  await expect.poll(() => world.redis.exists('lock')).toBe(1)
  world.redis.disconnect()
  await world.clock.advance(10_000)
  await expect(used).rejects.toThrow(LockLostError)
})
