import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { CANCELLED, CancelWorld, FAST, SLACK_MS } from '../support/cancel-world.ts'
import { until } from '../support/tiny-service.ts'
import type { WorkerWorld } from '../support/worker-world.ts'
import type { WorldProducer } from '../support/world-producer.ts'

let world: CancelWorld
let workers: WorkerWorld
let producer: WorldProducer
beforeAll(async () => {
  world = await CancelWorld.open()
  ;({ workers, producer } = world)
})
afterEach(() => world.killWorkers())
afterAll(() => world[Symbol.asyncDispose]())

describe('I9: a cancel that was answered is not lost', () => {
  test('when the worker is killed right after it, before it heard', async () => {
    const first = await world.spawnWorker()
    const { id, gate } = await world.running('spins')
    first.kill('SIGSTOP')
    expect((await producer.cancel(id)).status).toBe(202)
    first.kill('SIGKILL')
    await world.spawnWorker()
    expect((await producer.get(id, '30s')).body).toMatchObject(CANCELLED)
    expect(world.times(gate)).toBe(1)
  })

  test('when Redis is killed before the worker heard', async () => {
    const worker = await world.spawnWorker('held', { lockMs: 30_000 })
    const { id, gate } = await world.running('spins')
    worker.kill('SIGSTOP')
    expect((await producer.cancel(id)).status).toBe(202)
    await workers.redisServer.kill()
    worker.kill('SIGCONT')
    await workers.redisServer.start()
    await expect
      .poll(async () => (await producer.get(id)).body, { timeout: 40_000, interval: 50 })
      .toMatchObject(CANCELLED)
    expect(world.times(gate)).toBe(1)
  })

  test('when the worker drains and would hand the job back', async () => {
    const first = await world.spawnWorker('held', { ...FAST, drainMs: 200 })
    const { id, gate } = await world.running('spins')
    first.kill('SIGTERM')
    await until('cut', () => first.said().includes('drain deadline passed'))
    await producer.cancel(id)
    await first.exited
    expect((await producer.get(id)).body).toMatchObject(CANCELLED)
    expect(world.times(gate)).toBe(1)
  })

  test('when it meets the end of an attempt that is to be made again', async () => {
    await world.spawnWorker('brief')
    const gate = world.newGate()
    workers.gates.pass(gate)
    const id = await workers.add('brief', { gate, how: 'ignores' })
    await workers.gates.arrived(gate)
    await using queue = workers.queue('brief')
    await queue.queue.pause()
    const progress = async () => (await queue.queue.getJob(id))!.progress
    await expect.poll(progress, { interval: 5 }).toBe('aborted')
    await producer.cancel(id)
    expect((await producer.get(id, '20s')).body).toMatchObject({
      ...CANCELLED,
      attemptRecords: [{ outcome: 'timed-out' }],
    })
    await queue.queue.resume()
  })

  test('when it comes before the job that it is for', async () => {
    await world.spawnWorker()
    const { ref, early, gate } = { ref: workers.queueOf('held'), early: 'held.early', gate: world.newGate() }
    await workers.redis.xadd(ref.key('tb:cancels'), '*', 'id', early)
    const { id: heard } = await world.running('obeys')
    await producer.cancel(heard)
    await producer.get(heard, '20s')
    // Of a job that a worker has taken before the mark was there: no deferred failure, which BullMQ would act upon.
    await using queue = workers.queue('held')
    await queue.queue.pause()
    await workers.add('held', { gate, how: 'spins' }, { id: early })
    await workers.redis.hset(ref.key(early), 'tb:cancelledAt', 1)
    await queue.queue.resume()
    const attemptRecords = [{ outcome: 'cancelled', receipt: null }]
    expect(await workers.ended(early)).toMatchObject({ ...CANCELLED, attemptRecords })
    expect(world.times(gate)).toBe(0)
  })

  test('when the worker may not read the channel', async () => {
    await workers.redis.call('ACL', 'SETUSER', 'deaf', 'on', '>deaf', '~*', '&*', '+@all', '-xread')
    const passwordFile = join(workers.redisServer.dir, 'deaf')
    writeFileSync(passwordFile, 'deaf')
    const redis = { ...workers.redisServer.config, user: 'deaf', passwordFile }
    const worker = await world.spawnWorker('held', { ...FAST, redis })
    const { id } = await world.running('obeys')
    const started = performance.now()
    await producer.cancel(id)
    expect((await producer.get(id, '30s')).body).toMatchObject(CANCELLED)
    expect(performance.now() - started).toBeLessThan(SLACK_MS)
    expect(worker.said().match(/cancels cannot be heard/g)).toHaveLength(1)
  })
})

describe('ctx.call', () => {
  test('a caller that is cancelled cancels what it has called, and so on', async () => {
    const { id, child, cancelled } = await world.calling()
    await producer.cancel(id)
    expect((await producer.get(id, '30s')).body).toMatchObject(CANCELLED)
    expect((await producer.get(child, '30s')).body).toMatchObject(CANCELLED)
    await cancelled()
  })

  test('a caller that is interrupted cancels it too: its next attempt calls anew', async () => {
    const { id, child, caller } = await world.calling()
    caller.kill('SIGTERM')
    await caller.exited
    expect((await producer.get(child, '30s')).body).toMatchObject(CANCELLED)
    expect((await producer.get(id)).body).toMatchObject({ state: 'waiting' })
    await producer.cancel(id)
  })

  test('a call that is cancelled by others tells its caller so', async () => {
    const { id, child } = await world.calling({ catches: true })
    await producer.cancel(child)
    const { body } = await producer.get(id, '30s')
    expect(body).toMatchObject({ outcome: 'completed', result: { passed: { type: 'cancelled' } } })
  })
})
