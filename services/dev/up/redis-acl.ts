import { hashCredential } from '#lib/runtime'

/** What BullMQ's `Queue#add` runs, scripts included. No KEYS, SCAN, CONFIG, SCRIPT FLUSH or administration. */
const ENQUEUE_COMMANDS = [
  'auth',
  'hello',
  'ping',
  'quit',
  'info',
  'client|setname',
  'client|id',
  'eval',
  'evalsha',
  'script|load',
  'script|exists',
  'exists',
  'get',
  'set',
  'del',
  'incr',
  'hget',
  'hmget',
  'hset',
  'hmset',
  'llen',
  'lpush',
  'rpush',
  'lrange',
  'persist',
  'pttl',
  'sadd',
  'scard',
  'xadd',
  'zadd',
  'zcard',
  'zcount',
  'zrange',
  'zrem',
  'zrevrangebyscore',
  'zscore',
] as const

/** Who may what in Redis. */
export interface RedisUsers {
  servicesPassword: string
  enqueuePassword: string
  /** Key patterns of the agent types that accept unsigned jobs. */
  enqueueKeys: string[]
}

/** The ACL file: no default user, `services` with everything, `enqueue` with what adding a job to some queues takes. */
export function redisAcl(users: RedisUsers): string {
  const keys = users.enqueueKeys.map((pattern) => `~${pattern}`)
  const commands = ENQUEUE_COMMANDS.map((command) => `+${command}`)
  const enqueue = [
    'user enqueue on',
    `#${hashCredential(users.enqueuePassword)}`,
    'resetchannels -@all',
    ...commands,
    ...keys,
  ]
  return [
    // Off and without a password: nobody is this user, but Redis itself, which replays the transactions of its append-only
    // file as the default user. Without its rights every MULTI of the file is refused on a restart, and what it wrote lost.
    'user default off resetpass ~* &* +@all',
    `user services on #${hashCredential(users.servicesPassword)} ~* &* +@all`,
    enqueue.join(' '),
    '',
  ].join('\n')
}
