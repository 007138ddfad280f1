import { randomUUID } from 'node:crypto'
import { type Clock, steadyClock } from '#lib/runtime'
import type { Redis } from 'ioredis'

/** How long a killed rotator holds others up. */
const TTL_MS = 10_000
const POLL_MS = 100
/** Renews or releases what is still ours, in one step. */
const RENEW = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0`
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

export interface LockOptions {
  redis: Redis
  key: string
  /** How long to wait for it. Default: not at all. */
  waitMs?: number
  signal: AbortSignal
  clock?: Clock
}

/**
 * Runs `use` while holding a lock in Redis; undefined when another holds it. Its signal aborts when the lock is lost.
 * It spares work, and is no fence: a holder that is paused goes on when it wakes. Vault's check-and-set is the fence.
 */
export async function underLock<T>(
  options: LockOptions,
  use: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const { redis, key, signal, clock = steadyClock } = options
  const token = randomUUID()
  if (!(await acquire({ ...options, clock }, token))) return undefined
  const over = new AbortController()
  const lost = new AbortController()
  const renewing = keep({ redis, key, token, clock, over: over.signal, lost })
  try {
    return await use(AbortSignal.any([signal, lost.signal]))
  } finally {
    over.abort()
    await renewing
    await redis.eval(RELEASE, 1, key, token).catch(() => {})
  }
}

async function acquire(
  { redis, key, waitMs = 0, signal, clock }: LockOptions & { clock: Clock },
  token: string,
): Promise<boolean> {
  const until = clock.now() + waitMs
  for (;;) {
    if ((await redis.set(key, token, 'PX', TTL_MS, 'NX')) === 'OK') return true
    if (clock.now() >= until) return false
    await clock.sleep(POLL_MS, signal)
  }
}

interface Keeping {
  redis: Redis
  key: string
  token: string
  clock: Clock
  over: AbortSignal
  lost: AbortController
}

/** Trusts the lock until asked at + TTL: a Redis that does not answer ends it as surely as one that says no. */
async function keep({ redis, key, token, clock, over, lost }: Keeping): Promise<void> {
  let trustedUntil = clock.now() + TTL_MS
  while (!over.aborted) {
    await clock.sleep(TTL_MS / 3, over).catch(() => {})
    if (over.aborted) return
    const askedAt = clock.now()
    const renewed = await redis.eval(RENEW, 1, key, token, TTL_MS).catch(() => undefined)
    if (renewed === 1) trustedUntil = askedAt + TTL_MS
    if (renewed === 0 || clock.now() + TTL_MS / 3 > trustedUntil) return lost.abort(new LockLostError(key))
  }
}

/** Another may hold the lock by now. Whoever reads the record next goes on. */
export class LockLostError extends Error {
  override readonly name = 'LockLostError'
  constructor(key: string) {
    super(`the lock ${key} was lost`)
  }
}
