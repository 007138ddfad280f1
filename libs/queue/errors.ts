import { PermanentError } from '#lib/runtime'

/** The job's data is neither a version 1 envelope nor the documented unsigned shape. Says which field is wrong and why. */
export class InvalidJobError extends PermanentError {
  override readonly name = 'InvalidJobError'
  readonly type = 'invalid-job'
  constructor(problem: string, options?: ErrorOptions) {
    super(`job data: ${problem}`, options)
  }
}

/** The job carries no signature and its agent type does not accept such jobs. */
export class UnsignedJobError extends PermanentError {
  override readonly name = 'UnsignedJobError'
  readonly type = 'unsigned'
  constructor(agentType: string) {
    super(
      `the job carries no signature of a producer, and agent type "${agentType}" does not set accept-unsigned`,
    )
  }
}

/** The signature does not fit the job: another key made it, or data, id or queue were changed since. */
export class ForgedJobError extends PermanentError {
  override readonly name = 'ForgedJobError'
  readonly type = 'forged'
  constructor(why: string) {
    super(`the job is not what a producer signed: ${why}`)
  }
}

/** The job waited past its expiry. */
export class ExpiredJobError extends PermanentError {
  override readonly name = 'ExpiredJobError'
  readonly type = 'expired'
  constructor(expiresAt: number) {
    super(`the job expired at ${new Date(expiresAt).toISOString()}`)
  }
}

/** This Redis must not hold queues: too old, or it may evict jobs; or it refuses our user. */
export class RedisRefusedError extends PermanentError {
  override readonly name = 'RedisRefusedError'
}

/** Redis does not answer now. A later attempt may succeed. */
export class RedisUnavailableError extends Error {
  override readonly name = 'RedisUnavailableError'
  constructor(options?: ErrorOptions) {
    const { code } = (options?.cause ?? {}) as NodeJS.ErrnoException
    super(`Redis does not answer${code ? ` (${code})` : ''}`, options)
  }
}

const NAMES = new Set([
  'RedisUnavailableError',
  'MaxRetriesPerRequestError',
  'AbortError',
  'ClusterAllFailedError',
  'ConnectionClosedError',
])
const CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])
const MESSAGES =
  /^(Connection is closed|Stream isn't writeable|Command timed out|LOADING|READONLY|MASTERDOWN|NOREPLICAS|CLUSTERDOWN|OOM|MISCONF)/

/** True when an error of ioredis or BullMQ means "Redis cannot serve this now", so that a caller may come again. */
export function isRedisUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = (error as NodeJS.ErrnoException).code
  return NAMES.has(error.name) || (code !== undefined && CODES.has(code)) || MESSAGES.test(error.message)
}
