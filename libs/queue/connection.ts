import { Redis } from 'ioredis'
import { messageOf, readCredential, silentLog, type Log, type RedisConfig } from '#lib/runtime'
import { isRedisUnavailable, RedisUnavailableError } from './errors.ts'
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
  watch(redis, log)
  try {
    await redis.connect()
    await checkRedis(redis, log)
    return redis
  } catch (error) {
    redis.disconnect()
    throw isRedisUnavailable(error) ? new RedisUnavailableError({ cause: error }) : error
  }
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

/** An 'error' event without a listener would end the process. */
function watch(redis: Redis, log: Log): void {
  let away = false
  redis.on('error', (error: unknown) => {
    if (!away) log.warn({ error: messageOf(error) }, 'redis connection lost')
    away = true
  })
  redis.on('ready', () => {
    if (away) log.info({}, 'redis connection is back')
    away = false
  })
}
