import { generateKeyPairSync } from 'node:crypto'
import { type Job, UnrecoverableError } from 'bullmq'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  CANCELLED_REASON,
  cancelRequest,
  enqueue,
  type EnqueueOptions,
  type JobQueue,
  latestCancel,
  openQueue,
  openRedis,
  publicKeyOf,
  queueOf,
  readCancels,
  readRequest,
  recordAttempt,
} from '#lib/queue'
import { holdJobs, serveQueue } from '../../support/plain-worker.ts'
import { startRedis, type TestRedis } from '../../support/queue-redis.ts'

const scope = { cluster: 'demo', environment: 'test' }
const ref = queueOf(scope, 'writer')
const { privateKey: signingKey } = generateKeyPairSync('ed25519')
const publicKey = publicKeyOf(signingKey)

let server: TestRedis
let redis: Redis
let blocking: Redis
let queue: JobQueue
beforeAll(async () => {
  server = await startRedis()
  redis = await openRedis(server.config, 'producer')
  blocking = await openRedis(server.config, 'worker')
})
beforeEach(async () => {
  await redis.flushall()
  queue = openQueue({ scope, agentType: 'writer', connection: redis })
})
afterAll(async () => {
  redis.disconnect()
  blocking.disconnect()
  await server[Symbol.asyncDispose]()
})

const add = async (more: Partial<EnqueueOptions> = {}) => {
  const facts = { signingKey, input: 1, tenant: 'acme', caller: 'shop', attempts: 3, keepMs: 60_000 }
  return (await enqueue(queue, { ...facts, ...more })).id!
}
const cancel = (id: string) => cancelRequest(redis, ref, id)
const view = async (id: string) => (await readRequest({ redis, queue, ref, id, publicKey }))!.view
const ended = async (id: string) => {
  await expect.poll(async () => (await view(id)).state, { timeout: 10_000, interval: 10 }).toBe('ended')
  return await view(id)
}
const CANCELLED = {
  state: 'ended',
  outcome: 'cancelled',
  error: { type: 'cancelled', message: 'the request was cancelled' },
  cancelledAt: expect.any(Number),
}

const serve = (work: (job: Job) => Promise<unknown>, more: object = {}) =>
  serveQueue({ queue: ref, connection: blocking, work, more })
const hold = (more: object = {}) => holdJobs({ queue: ref, connection: blocking, more })

describe('a request that waits is cancelled in one step', () => {
  const states: Record<string, (id: string) => Promise<unknown>> = {
    waiting: async () => {},
    delayed: async (id) => {
      await using worker = hold()
      ;(await worker.taken(id)).reject(new Error('boom'))
      await expect.poll(() => queue.getJobState(id), { interval: 5 }).toBe('delayed')
    },
    prioritized: async (id) => (await queue.getJob(id))!.changePriority({ priority: 7 }),
  }
  test.each(Object.entries(states))('one that is %s ends cancelled and is never taken', async (state, to) => {
    const id = await add()
    await to(id)
    expect(await queue.getJobState(id)).toBe(state)
    expect(await cancel(id)).toBe('cancelled')
    expect(await view(id)).toMatchObject({ ...CANCELLED, attempts: state === 'delayed' ? 1 : 0 })
    expect(await queue.getJobCounts('failed')).toEqual({ failed: 1 })
    expect(await queue.getJobCountByTypes('wait', 'delayed', 'prioritized', 'active')).toBe(0)
    const ran: string[] = []
    await using _worker = serve(async (job) => ran.push(job.id!))
    const next = await add()
    expect(await ended(next)).toMatchObject({ outcome: 'completed' })
    expect(ran).toEqual([next])
  })

  test('its attempts so far stay, and their outcome is not taken for the request’s', async () => {
    const id = await add()
    const record = {
      attempt: 1,
      outcome: 'failed' as const,
      error: { type: 'TypeError', message: 'no lines' },
      startedAt: 1,
      endedAt: 5,
      queuedMs: 3,
      runMs: 4,
      receipt: null,
      traceId: 't',
    }
    await recordAttempt(redis, ref, { jobId: id, record, ttlMs: 60_000 })
    await cancel(id)
    expect(await view(id)).toMatchObject({ ...CANCELLED, attempts: 1, attemptRecords: [record] })
  })

  test('whoever waits for its end is woken', async () => {
    const id = await add()
    const before = await redis.xlen(ref.key('events'))
    await cancel(id)
    const events = await redis.xrange(ref.key('events'), '-', '+')
    expect(events.slice(before).map(([, fields]) => fields)).toEqual([
      ['event', 'failed', 'jobId', id, 'failedReason', CANCELLED_REASON, 'prev', 'waiting'],
    ])
  })

  test('its id stays taken: the same idempotency key does not start it anew', async () => {
    const id = await add()
    await cancel(id)
    await add({ id })
    expect(await view(id)).toMatchObject(CANCELLED)
    expect(await queue.getWaitingCount()).toBe(0)
  })

  test('its record goes as any other’s does, after its max-age', async () => {
    const id = await add()
    await cancel(id)
    await redis.zadd(ref.key('failed'), 1, id)
    await using _worker = serve(async () => {
      throw new UnrecoverableError('failed: x')
    })
    await ended(await add())
    expect(await readRequest({ redis, queue, ref, id, publicKey })).toBeUndefined()
  })
})

describe('a request that runs is marked, and its worker is told', () => {
  test('once, however often it is cancelled', async () => {
    await using worker = hold()
    const id = await add()
    const end = await worker.taken(id)
    const last = await latestCancel(redis, ref)
    expect([await cancel(id), await cancel(id)]).toEqual(['cancelling', 'cancelling'])
    const first = await view(id)
    expect(first).toMatchObject({ state: 'running', cancelledAt: expect.any(Number) })
    const heard = await readCancels(redis, ref, { last, waitMs: 10 })
    expect(heard.ids).toEqual([id])
    expect(await readCancels(redis, ref, { last: heard.last, waitMs: 10 })).toEqual({
      ids: [],
      last: heard.last,
    })
    expect(await latestCancel(redis, ref)).toBe(heard.last)
    end.reject(new UnrecoverableError('failed: itself'))
    expect(await ended(id)).toMatchObject({ ...CANCELLED, cancelledAt: first.cancelledAt })
  })

  test('an attempt that completes first stays completed', async () => {
    await using worker = hold()
    const id = await add()
    const end = await worker.taken(id)
    expect(await cancel(id)).toBe('cancelling')
    end.resolve({ result: 42 })
    expect(await ended(id)).toMatchObject({ outcome: 'completed', result: 42 })
    expect(await cancel(id)).toBe('ended')
  })

  test('one that goes back for a retry is ended by the next cancel, or by whoever takes it', async () => {
    const ids = [await add(), await add()]
    {
      await using worker = hold({ concurrency: 2 })
      for (const id of ids) {
        const end = await worker.taken(id)
        expect(await cancel(id)).toBe('cancelling')
        end.reject(new Error('boom'))
        await expect.poll(() => queue.getJobState(id), { interval: 5 }).toBe('delayed')
        // Its backoff of half a second could be over before the worker is closed.
        await (await queue.getJob(id))!.changeDelay(60_000)
      }
    }
    expect(await cancel(ids[0]!)).toBe('cancelled')
    expect(await view(ids[0]!)).toMatchObject(CANCELLED)
    const ran: string[] = []
    await using _worker = serve(async (job) => ran.push(job.id!))
    await (await queue.getJob(ids[1]!))!.promote()
    expect(await ended(ids[1]!)).toMatchObject(CANCELLED)
    expect(ran).toEqual([])
  })
})

describe('I9: a cancel is not lost', () => {
  test.each([1, 0])(
    'a worker that dies after it does not bring the request back (stalls: %i)',
    async (stalls) => {
      const id = await add()
      const lost = hold({ lockDuration: 100, skipLockRenewal: true, skipStalledCheck: true })
      await lost.taken(id)
      expect(await cancel(id)).toBe('cancelling')
      await lost.close(true)
      const ran: string[] = []
      const options = { stalledInterval: 100, maxStalledCount: stalls }
      await using _worker = serve(async (job) => ran.push(job.id!), options)
      expect(await ended(id)).toMatchObject(CANCELLED)
      expect(ran).toEqual([])
    },
  )

  test('a Redis that is killed after it still knows', async () => {
    const [waiting, running] = [await add(), await add()]
    await cancel(waiting)
    const lost = hold({ lockDuration: 100, skipLockRenewal: true, skipStalledCheck: true })
    await lost.taken(running)
    await cancel(running)
    await server.kill()
    await server.start()
    await expect
      .poll(() => view(waiting).catch(() => undefined), { timeout: 10_000 })
      .toMatchObject(CANCELLED)
    expect(await view(running)).toMatchObject({ cancelledAt: expect.any(Number) })
    await lost.close(true)
  })

  test('whether it meets the start, the retry or the end of an attempt, one thing happens and not two', async () => {
    const started = new Map<string, number>()
    await using _worker = serve(
      async (job) => {
        started.set(job.id!, (started.get(job.id!) ?? 0) + 1)
        if (job.data.input % 3 === 0) throw new UnrecoverableError('failed: itself')
        return { result: job.data.input }
      },
      { concurrency: 4 },
    )
    const answers = new Set<string>()
    for (let round = 0; round < 50 && answers.size < 2; round++) {
      const ids = await Promise.all(Array.from({ length: 60 }, (_, n) => add({ input: n })))
      const became = await Promise.all(ids.map(async (id) => [id, await cancel(id)] as const))
      for (const [id, answer] of became) {
        answers.add(answer)
        const { outcome } = await ended(id)
        if (answer === 'cancelled') expect([outcome, started.get(id)]).toEqual(['cancelled', undefined])
        else expect(started.get(id)).toBe(1)
        if (answer === 'ended') expect(outcome).not.toBe('cancelled')
      }
    }
    expect(answers.size).toBeGreaterThan(1)
  })
})

describe('there is nothing to cancel', () => {
  test('of a request that has ended: it stays as it is', async () => {
    const [good, bad] = [await add({ input: 'good' }), await add({ input: 'bad' })]
    await using _worker = serve(async (job) => {
      if (job.data.input === 'bad') throw new UnrecoverableError('no-such-order: 7')
      return { result: 1 }
    })
    const before = [await ended(good), await ended(bad)]
    expect([await cancel(good), await cancel(bad)]).toEqual(['ended', 'ended'])
    expect([await view(good), await view(bad)]).toEqual(before)
  })

  test('of one that is not kept, and nothing is made', async () => {
    expect(await cancel('writer.unknown')).toBe('unknown')
    expect(await redis.keys('*writer.unknown*')).toEqual([])
  })
})
