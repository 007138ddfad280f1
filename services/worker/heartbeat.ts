import type { ContextPool } from '#lib/context'
import { publishWorker, type QueueRef, withdrawWorker } from '#lib/queue'
import { type Log, messageOf } from '#lib/runtime'
import type { Redis } from 'ioredis'
import { setTimeout as delay } from 'node:timers/promises'
import type { Level } from '#lib/wire'
import { randomUUID } from 'node:crypto'
import type { Worker } from './worker.ts'

const BEAT_MS = 2_000
/** Commands wait for a Redis that is away; the drain that comes next must not. */
const WITHDRAW_MS = 1_000

export interface HeartbeatOptions {
  redis: Redis
  queue: QueueRef
  worker: Worker
  pool: ContextPool
  slots: number
  level: Level
  log: Log
}

/** Publishes what this worker has (slots, active, spares) every 2 s, for `threadbound agents`. Its record ends by itself. */
export function openHeartbeat(options: HeartbeatOptions): AsyncDisposable {
  const stop = new AbortController()
  const id = randomUUID()
  const beating = beat(id, options, stop.signal)
  const withdraw = async () => {
    await beating
    await withdrawWorker(options.redis, options.queue, id).catch(() => {})
  }
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await Promise.race([withdraw(), delay(WITHDRAW_MS, undefined, { ref: false })])
    },
  }
}

async function beat(id: string, options: HeartbeatOptions, signal: AbortSignal): Promise<void> {
  const { redis, queue, worker, pool, slots, level, log } = options
  while (!signal.aborted) {
    const { spares } = pool.stats()
    await publishWorker(redis, queue, {
      id,
      pid: process.pid,
      slots,
      active: worker.active,
      spares,
      level,
    }).catch((error) => log.warn({ error: messageOf(error) }, 'heartbeat not published'))
    await delay(BEAT_MS, undefined, { signal }).catch(() => {})
  }
}
