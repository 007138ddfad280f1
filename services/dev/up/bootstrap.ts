import { type Cluster, secretKind, usableSecrets } from '#lib/cluster'
import {
  applyMounts,
  applyPolicies,
  type DatabaseInput,
  issueWrappedSecretId,
  planPolicies,
  putSecret,
  VaultClient,
} from '#lib/vault'

const DATABASE_TTL_MS = 300_000

/** A Vault of our own, as its owner sees it. */
export interface VaultAccess {
  address: string
  rootToken: string
}

/**
 * Makes an empty Vault hold what a cluster needs: mounts, the stand-ins' secrets, policies, roles, database connections.
 * A database whose admin secret nobody has put yet is left out and given back by name; the same twice changes nothing.
 */
export async function bootstrapVault(
  { address, rootToken }: VaultAccess,
  cluster: Cluster,
  values: ReadonlyMap<string, string>,
): Promise<{ databasesLeftOut: string[] }> {
  await using client = await VaultClient.open({ address })
  const scope = scopeOf(cluster)
  const databases = databaseInputs(cluster)
  const known = databases.filter(({ adminSecret }) => values.has(adminSecret))
  const desired = planPolicies({ ...scope, agentTypes: agentTypeInputs(cluster), databases: known })
  await applyMounts(client, rootToken, desired)
  for (const [name, value] of values) await putSecret(client, rootToken, { ...scope, name, value })
  await applyPolicies(client, rootToken, desired)
  const databasesLeftOut = databases
    .filter((database) => !known.includes(database))
    .map(({ secret }) => secret)
  return { databasesLeftOut }
}

/** What a starting sidecar logs in with: a role id, and a token that holds its secret-id once. */
export async function sidecarLogin(
  { address, rootToken }: VaultAccess,
  cluster: Cluster,
): Promise<{ roleId: string; wrappingToken: string }> {
  await using client = await VaultClient.open({ address })
  const { roleId, wrapped } = await issueWrappedSecretId(client, rootToken, scopeOf(cluster))
  return { roleId, wrappingToken: wrapped.token }
}

function agentTypeInputs(cluster: Cluster) {
  return Object.values(cluster.agents).map((agent) => ({
    name: agent.name,
    timeoutMs: agent.timeoutMs,
    secrets: usableSecrets(cluster, agent.name).map((name) => ({
      name,
      kind: secretKind(cluster.secrets[name]!),
    })),
  }))
}

function databaseInputs(cluster: Cluster): DatabaseInput[] {
  return Object.values(cluster.secrets).flatMap(({ name, connect, grant, ttlMs }) =>
    connect ? [{ secret: name, ...connect, grant: grant ?? [], ttlMs: ttlMs ?? DATABASE_TTL_MS }] : [],
  )
}

const scopeOf = ({ name, environment }: Cluster) => ({ cluster: name, environment })
