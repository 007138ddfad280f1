import type { AuditHead, NotedElsewhere } from '#lib/audit'
import type { Cluster } from '#lib/cluster'
import { openRedis, readHead, serviceKeys } from '#lib/queue'
import { loadConfig, messageOf, RedisConfig } from '#lib/runtime'
import { isVaultError } from '#lib/vault'
import * as z from 'zod'
import { CommandError } from '../errors.ts'
import { openVaultTarget, type VaultOptions, type VaultTarget } from '../vault-target.ts'

/** What was found in the places in which sidecars note how far their audit log goes. */
export interface NotedHeads {
  noted: NotedElsewhere[]
  /** Places that say nothing, and why. */
  silent: { place: string; why: string }[]
}

/** A log of operators themselves: no sidecar writes it, so it is noted nowhere. */
export interface NotedHeadsOptions extends VaultOptions {
  auditFile?: string
}

/** Reads the head in Vault and the one in Redis. What cannot be asked is told, not thrown. */
export async function notedHeads(options: NotedHeadsOptions): Promise<NotedHeads> {
  await using stack = new AsyncDisposableStack()
  const target = open(options).then((opened) => stack.use(opened))
  target.catch(() => {})
  const places: [string, (target: VaultTarget) => Promise<AuditHead>][] = [
    ['Vault', inVault],
    ['Redis', inRedis],
  ]
  const found: NotedHeads = { noted: [], silent: [] }
  for (const [place, read] of places)
    try {
      found.noted.push({ place, ...(await read(await target)) })
    } catch (error) {
      found.silent.push({ place, why: messageOf(error) })
    }
  return found
}

async function open(options: NotedHeadsOptions): Promise<VaultTarget> {
  if (options.auditFile === undefined || options.cluster !== undefined) return openVaultTarget(options)
  throw new CommandError('it is no log of a cluster (--cluster FILE says that it is)')
}

const Head = z.object({ seq: z.number(), hash: z.string() })
const NOTHING = 'nothing is noted there'

async function inVault({ client, token, desired }: VaultTarget): Promise<AuditHead> {
  const entry = await client.kvRead(token, desired.names.auditHead('sidecar')).catch((error: unknown) => {
    throw isVaultError(error, 'notFound') ? new CommandError(NOTHING) : error
  })
  return Head.parse(entry.data)
}

async function inRedis({ cluster, up }: VaultTarget): Promise<AuditHead> {
  const redis = await openRedis(up ? redisOf(up) : redisOfEnvironment(), 'producer')
  try {
    const head = await readHead(redis, serviceKeys(scopeOf(cluster), 'sidecar'))
    if (!head) throw new CommandError(NOTHING)
    return head
  } finally {
    redis.disconnect()
  }
}

const scopeOf = ({ name, environment }: Cluster) => ({ cluster: name, environment })

function redisOf({ auditRedis }: NonNullable<VaultTarget['up']>): RedisConfig {
  if (auditRedis) return auditRedis
  throw new CommandError('up.json says nothing of a Redis')
}

/** As services are told: `TB_REDIS_URL` or `TB_REDIS_SOCKET`, `TB_REDIS_USER`, `TB_REDIS_PASSWORD_FILE`. */
function redisOfEnvironment(): RedisConfig {
  const { redis } = loadConfig(z.object({ redis: RedisConfig.default({}) }), process.env)
  if (redis.url || redis.socket) return redis
  throw new CommandError('TB_REDIS_URL does not say where it is')
}
