import { hashCredential } from '#lib/runtime'
import { alertsKey } from './alerts.ts'
import { queueOf, type QueueScope, serviceKeys } from './names.ts'
import { promotionChannel } from './promotions.ts'
import { revocationsKey } from './revocations.ts'

/** Who logs in to Redis: a user for each service, one for whoever enqueues with plain BullMQ, one that may only ask whether it runs. */
export type RedisUser = 'probe' | 'enqueue' | 'producer' | 'sidecar' | 'rotator' | 'console' | WorkerUser
type WorkerUser = `worker-${string}`

/** The user of the worker of an agent type. */
export const workerUser = (agentType: string): WorkerUser => `worker-${agentType}`

/** What the users of a cluster's Redis depend on. */
export interface RedisAclOptions {
  scope: QueueScope
  agentTypes: { name: string; acceptUnsigned: boolean }[]
  /** The password of a user; only its hash is kept. */
  password: (user: RedisUser) => string
}

/** The users of a cluster. */
export function redisUsers(agentTypes: { name: string }[]): RedisUser[] {
  const workers = agentTypes.map(({ name }) => workerUser(name))
  return ['probe', 'enqueue', 'producer', 'sidecar', 'rotator', 'console', ...workers]
}

/** The ACL as lines of an ACL file, which a redis.conf takes as well. Everything in it is read by Redis 6.2 and later. */
export function redisAcl({ scope, agentTypes, password }: RedisAclOptions): string {
  const all = agentTypes.map(({ name }) => queueOf(scope, name).prefix)
  const open = agentTypes.filter(({ acceptUnsigned }) => acceptUnsigned)
  const locks = agentTypes.map(({ name }) => `~${queueOf(scope, name).key('*:lock')}`)
  const alerts = agentTypes.map(({ name }) => `~${alertsKey(queueOf(scope, name))}`)
  const rights: [RedisUser, string[]][] = [
    ['probe', ['+ping']],
    ['enqueue', [...ENQUEUE, ...keysOf(open.map(({ name }) => queueOf(scope, name).prefix))]],
    ['producer', [...READ_AND_WRITE, ...queues(all)]],
    ['sidecar', [...LOOK_AND_TELL, ...locks, ...alerts, ...ofSidecar(scope)]],
    ['rotator', [...READ_AND_WRITE, ...queues([serviceKeys(scope, 'rotator').prefix])]],
    ['console', [...READ, ...keysOf(all), `~${serviceKeys(scope, 'sidecar').key('tb:*')}`]],
    ...agentTypes.map(({ name }): [RedisUser, string[]] => [
      workerUser(name),
      [...READ_AND_WRITE, ...queues([queueOf(scope, name).prefix])],
    ]),
  ]
  const users = rights.map(([user, own]) =>
    [`user ${user} on #${hashCredential(password(user))} resetchannels -@all`, ...own, ...SESSION].join(' '),
  )
  return [DEFAULT_USER, ...users, ''].join('\n')
}

/**
 * Off and without a password: nobody is this user, but Redis itself, which replays the transactions of its append-only
 * file as the default user. Without its rights every MULTI of the file is refused on a restart, and what it wrote lost.
 */
const DEFAULT_USER = 'user default off resetpass ~* &* +@all'

const allow = (commands: string) => commands.split(' ').map((command) => `+${command}`)

/** To log in, and what ioredis and our own check of the server ask. Goes last: some versions call CLIENT and INFO dangerous. */
const SESSION = allow('auth hello ping quit info client|setname client|id')

/** Scripts run with the rights of who runs them. No SCRIPT FLUSH, no FUNCTION. */
const SCRIPTS = allow('eval evalsha script|load script|exists')

/** No command for administration, none that tells the names of keys that the user may not read. */
const NEVER = ['-@dangerous', '-@scripting', '-scan', '-randomkey', '-dbsize']

/** Every command that reads keys by their names; BullMQ reads logs and figures in transactions. */
const READ = ['+@read', ...NEVER, ...SCRIPTS, ...allow('multi exec discard')]

/** Those that change keys as well, and messages on the user's own channels. */
const READ_AND_WRITE = [
  '+@read',
  '+@write',
  ...NEVER,
  ...SCRIPTS,
  ...allow('multi exec discard watch unwatch time publish subscribe unsubscribe psubscribe punsubscribe'),
]

/** To read locks, to tell, and to hear of promotions and of what operators revoke: what XADD does to a lock's key, which holds a text, is nothing. */
const LOOK_AND_TELL = allow('get xadd xrevrange publish subscribe unsubscribe')

/** What BullMQ's `Queue#add` runs, scripts included. */
const ENQUEUE = [
  ...SCRIPTS,
  ...allow('exists get set del incr hget hmget hset hmset llen lpush rpush lrange persist pttl sadd scard'),
  ...allow('xadd zadd zcard zcount zrange zrem zrevrangebyscore zscore'),
]

const ofSidecar = (scope: QueueScope) => [
  `~${serviceKeys(scope, 'sidecar').key('tb:*')}`,
  `&${promotionChannel(scope)}`,
  `&${revocationsKey(scope)}`,
]
const keysOf = (prefixes: string[]) => prefixes.map((prefix) => `~${prefix}:*`)
const queues = (prefixes: string[]) => [...keysOf(prefixes), ...prefixes.map((prefix) => `&${prefix}:*`)]
