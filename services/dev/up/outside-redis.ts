import { openRedis } from '#lib/queue'
import { messageOf, PermanentError } from '#lib/runtime'
import type { Credentials } from './credentials.ts'
import type { RedisAccess } from './redis.ts'

/** The Redis of REDIS_URL cannot be used. Never shows the URL as it was given: it may hold a password. */
export class OutsideRedisError extends PermanentError {
  override readonly name = 'OutsideRedisError'
  constructor(problem: string, options?: ErrorOptions) {
    super(`REDIS_URL: ${problem}`, options)
  }
}

/**
 * A Redis that someone else runs (`REDIS_URL`): the password goes into a file, off every environment. It is asked whether
 * it may hold queues before anything else is started. @throws OutsideRedisError
 */
export async function outsideRedis(url: string, credentials: Credentials): Promise<RedisAccess> {
  const access = accessOf(url, credentials)
  try {
    const redis = await openRedis(access, 'producer')
    redis.disconnect()
    return access
  } catch (cause) {
    throw new OutsideRedisError(`${access.url} cannot be used: ${messageOf(cause)}`, { cause })
  }
}

function accessOf(url: string, credentials: Credentials): RedisAccess & { url: string } {
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol))
    throw new OutsideRedisError('must be a redis:// or rediss:// address')
  const parsed = new URL(url)
  const { username, password } = parsed
  parsed.username = ''
  parsed.password = ''
  return {
    url: parsed.href,
    ...(username ? { user: decodeURIComponent(username) } : {}),
    ...(password
      ? { passwordFile: credentials.write('redis-url-password', decodeURIComponent(password)) }
      : {}),
  }
}
