import { type Cluster, vaultNeeds } from '#lib/cluster'
import {
  applyMounts,
  applyPolicies,
  issueWrappedSecretId,
  planPolicies,
  putSecret,
  VaultClient,
  type VaultService,
} from '#lib/vault'

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
  const needs = vaultNeeds(cluster)
  const desired = planPolicies(needs)
  await applyMounts(client, rootToken, desired)
  for (const [name, value] of values)
    await putSecret(client, rootToken, { ...desired.names.scope, name, value })
  const { waiting } = await applyPolicies(client, rootToken, desired)
  return { databasesLeftOut: waiting.map(({ secret }) => secret) }
}

/** What a starting service logs in with: a role id, and a token that holds its secret-id once. */
export async function serviceLogin(
  { address, rootToken }: VaultAccess,
  { name, environment }: Cluster,
  service: VaultService,
): Promise<{ roleId: string; wrappingToken: string }> {
  await using client = await VaultClient.open({ address })
  const { roleId, wrapped } = await issueWrappedSecretId(client, rootToken, {
    cluster: name,
    environment,
    service,
  })
  return { roleId, wrappingToken: wrapped.token }
}
