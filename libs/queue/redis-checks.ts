import type { Redis } from 'ioredis'
import type { Log } from '#lib/runtime'
import { RedisRefusedError } from './errors.ts'

/** Older ones lack commands that BullMQ wants. */
const REFUSED_BELOW = [6, 2, 0]
/** From here on a blocking read may be as short as 1 ms, so delayed jobs start on time. */
const WARNED_BELOW = [7, 0, 8]

/**
 * Refuses a Redis that must not hold queues.
 * @throws RedisRefusedError when it is older than 6.2, or its `maxmemory-policy` is not `noeviction`
 */
export async function checkRedis(redis: Redis, log: Log): Promise<void> {
  const info = readInfo(await redis.info())
  const version = info.get('redis_version') ?? 'unknown'
  if (isBelow(version, REFUSED_BELOW))
    throw new RedisRefusedError(`Redis ${version} is too old: 6.2 or newer is needed, 7.0.8 recommended`)
  if (isBelow(version, WARNED_BELOW)) log.warn({ version }, 'redis older than 7.0.8: delayed jobs start late')
  const policy = info.get('maxmemory_policy') ?? (await configuredPolicy(redis))
  if (policy === undefined) log.warn({}, 'redis does not tell its maxmemory-policy: it must be noeviction')
  else if (policy !== 'noeviction')
    throw new RedisRefusedError(
      `Redis may evict jobs: maxmemory-policy is "${policy}", expected "noeviction" (CONFIG SET maxmemory-policy noeviction)`,
    )
}

/** INFO needs no right beyond what BullMQ itself needs; CONFIG is asked only where INFO does not tell, and may be denied. */
async function configuredPolicy(redis: Redis): Promise<string | undefined> {
  const reply: unknown = await redis.config('GET', 'maxmemory-policy').catch(() => undefined)
  return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : undefined
}

function readInfo(text: string): Map<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(':'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}

function isBelow(version: string, floor: number[]): boolean {
  const parts = version.split('.').map(Number)
  for (const [at, least] of floor.entries()) {
    const part = parts[at] ?? 0
    if (Number.isNaN(part)) return false
    if (part !== least) return part < least
  }
  return false
}
