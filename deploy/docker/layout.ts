import type { Cluster } from '#lib/cluster'
import { redisAcl, type RedisUser } from '#lib/queue'

/** The cluster that the containers run: it lies in the image. */
export const CLUSTER_FILE = 'deploy/demo/threadbound.yaml'

/** What services read in place of it: the same with the addresses of the containers. */
export const RESOLVED_FILE = '/cluster/resolved.json'

/** What `up` writes as up.json, for the container `operator`: where the commands find this cluster. */
export const OPERATOR_STATE = {
  producer: 'http://producer:8080',
  apiKeyFile: '/app/.threadbound/api-key',
  vault: 'http://vault:8200',
  vaultTokenFile: '/app/.threadbound/vault-root-token',
  clusterFile: RESOLVED_FILE,
  auditFile: '/audit/audit.jsonl',
  auditRedis: {
    url: 'redis://redis:6379',
    user: 'console',
    passwordFile: '/app/.threadbound/redis-password',
  },
  operator: {
    socket: '/run/threadbound/operator/sidecar.sock',
    credentialFile: '/app/.threadbound/operator',
  },
  rotator: {
    socket: '/run/threadbound/rotator/operator.sock',
    credentialFile: '/app/.threadbound/rotator',
  },
}

/** Numeric users of the containers, as docker-compose.yml and the official images name them. */
export const USERS = {
  root: 0,
  vault: 100,
  redis: 999,
  postgres: 999,
  producer: 2001,
  console: 2002,
  sidecar: 2003,
  models: 2005,
  rotator: 2006,
} as const

/** What Redis is started with: never evicts, an append-only file, and the users that `threadbound up` gives it. */
export function redisConfig(cluster: Cluster, password: (user: RedisUser) => string): string {
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const acl = redisAcl({ scope, agentTypes: Object.values(cluster.agents), password })
  return `bind * -::*
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
dir /data
${acl}`
}
