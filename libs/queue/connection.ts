import { Redis } from 'ioredis'
import { messageOf, readCredential, silentLog, type Log, type RedisConfig } from '#lib/runtime'
import { isRedisUnavailable, RedisRefusedError, RedisUnavailableError } from './errors.ts'
import { checkRedis } from './redis-checks.ts'

/**
 * What a connection is for. `producer`: every command fails at once while Redis is away, and after 2 s when it is frozen.
 * `worker` (also QueueEvents): commands wait for Redis as long as it takes, as BullMQ's blocking reads need.
 * `reader`: commands survive one reconnection.
 */
export type RedisRole = 'producer' | 'worker' | 'reader'

const BY_ROLE = {
  producer: {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 2000,
  },
  worker: { maxRetriesPerRequest: null },
  reader: { maxRetriesPerRequest: 1, commandTimeout: 10_000 },
} satisfies Record<RedisRole, object>

/**
 * Connects to Redis and checks that it may hold queues. The connection comes back by itself after an outage; errors go
 * to the log, one line per outage. End it with `quit()` or `disconnect()`.
 * @throws RedisUnavailableError when it cannot be reached now; RedisRefusedError when it must not be used
 */
export async function openRedis(
  config: RedisConfig,
  role: RedisRole,
  { log = silentLog }: { log?: Log } = {},
): Promise<Redis> {
  const redis = connect(config, role)
  const lastError = watch(redis, log)
  try {
    await redis.connect()
    await checkRedis(redis, log)
    return redis
  } catch (error) {
    redis.disconnect()
    throw reasonOf(config, error, lastError())
  }
}

/** ioredis says only that the connection is closed; its last 'error' event says why. */
function reasonOf({ user }: RedisConfig, error: unknown, lastError: unknown): unknown {
  const denied = [error, lastError].map(messageOf).find((text) => /^(NOAUTH|WRONGPASS|NOPERM)/.test(text))
  if (denied)
    return new RedisRefusedError(`Redis refuses user "${user ?? 'default'}": ${denied}`, { cause: error })
  return isRedisUnavailable(error) ? new RedisUnavailableError({ cause: lastError ?? error }) : error
}

function connect(config: RedisConfig, role: RedisRole): Redis {
  const options = {
    lazyConnect: true,
    connectTimeout: 5000,
    retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times, 10), 1000),
    ...(config.user ? { username: config.user } : {}),
    ...(config.passwordFile ? { password: readCredential(config.passwordFile) } : {}),
    ...BY_ROLE[role],
  }
  if (config.socket) return new Redis({ ...options, path: config.socket })
  return new Redis(config.url ?? 'redis://127.0.0.1:6379', options)
}

/** An 'error' event without a listener would end the process. Gives what was last heard. */
function watch(redis: Redis, log: Log): () => unknown {
  let away: unknown
  redis.on('error', (error: unknown) => {
    if (away === undefined) log.warn({ error: messageOf(error) }, 'redis connection lost')
    away = error
  })
  redis.on('ready', () => {
    if (away !== undefined) log.info({}, 'redis connection is back')
    away = undefined
  })
  return () => away
}
