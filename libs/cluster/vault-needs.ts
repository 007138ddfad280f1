import { BUILT_IN } from './builtin.ts'
import { parseDurationMs } from '#lib/runtime'
import type { Cluster, Connect } from './model.ts'
import { secretKind, usableSecrets } from './routes.ts'

/** What a cluster needs of Vault, as plain data: what `planPolicies` of #lib/vault takes. */
export interface VaultNeeds {
  cluster: string
  environment: string
  agentTypes: { name: string; timeoutMs: number; secrets: { name: string; kind: 'static' | 'database' }[] }[]
  staticSecrets: string[]
  rotated: { secret: string; adminSecret?: string; appRole?: string }[]
  databases: ({ secret: string; grant: string[]; ttlMs: number } & Connect)[]
}

/** Says which secrets each agent type may use, and which databases are leased from. */
export function vaultNeeds(cluster: Cluster): VaultNeeds {
  return {
    cluster: cluster.name,
    environment: cluster.environment,
    agentTypes: Object.values(cluster.agents).map(({ name, timeoutMs }) => ({
      name,
      timeoutMs,
      secrets: usableSecrets(cluster, name).map((secret) => ({
        name: secret,
        kind: secretKind(cluster.secrets[secret]!),
      })),
    })),
    staticSecrets: Object.values(cluster.secrets)
      .filter((secret) => secretKind(secret) === 'static')
      .map(({ name }) => name),
    rotated: Object.values(cluster.secrets).flatMap(({ name: secret, rotate, connect }) => {
      const adminSecret = rotate?.adminSecret ?? connect?.adminSecret
      const appRole = rotate?.role
      return rotate ? [{ secret, ...(adminSecret && { adminSecret }), ...(appRole && { appRole }) }] : []
    }),
    databases: Object.values(cluster.secrets).flatMap((secret) => {
      const { name, connect, grant = [], ttlMs = DATABASE_TTL_MS } = secret
      return connect && secretKind(secret) === 'database' ? [{ secret: name, ...connect, grant, ttlMs }] : []
    }),
  }
}

const DATABASE_TTL_MS = parseDurationMs(BUILT_IN.databaseTtl)!
