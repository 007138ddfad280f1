/**
 * The job `bootstrap` of docker-compose.yml: makes Vault hold what the demo's cluster needs, writes the cluster that
 * services read, and gives the sidecar a login that is good once. The same twice changes nothing but the login.
 */
import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { type Cluster, loadCluster, type Secret, vaultNeeds, writeResolvedCluster } from '#lib/cluster'
import {
  applyMounts,
  applyPolicies,
  issueWrappedSecretId,
  planPolicies,
  putSecret,
  VaultClient,
} from '#lib/vault'
import { CLUSTER_FILE, RESOLVED_FILE, USERS } from './layout.ts'

/** How long the sidecar may take to start after this job. */
const LOGIN_TTL_MS = 30 * 60_000
const STATIC_SECRETS = ['anthropic-api-key', 'openai-api-key', 'orders-db-admin']

const cluster = inContainers(await loadCluster(CLUSTER_FILE))
const scope = { cluster: cluster.name, environment: cluster.environment }
const rootToken = readFileSync('/keys/bootstrap/root-token', 'utf8')
await using client = await VaultClient.open({
  address: process.env['TB_VAULT_ADDRESS'] ?? 'http://vault:8200',
})

const desired = planPolicies(vaultNeeds(cluster))
await applyMounts(client, rootToken, desired)
for (const name of STATIC_SECRETS)
  await putSecret(client, rootToken, {
    ...scope,
    name,
    value: readFileSync(`/keys/bootstrap/${name}`, 'utf8'),
  })
await applyPolicies(client, rootToken, desired)
const { roleId, wrapped } = await issueWrappedSecretId(client, rootToken, {
  ...scope,
  wrapTtlMs: LOGIN_TTL_MS,
})
giveToSidecar('/keys/sidecar/vault-role-id', roleId)
giveToSidecar('/keys/sidecar/vault-secret-id', wrapped.token)
await writeResolvedCluster(cluster, RESOLVED_FILE)
console.log(`Vault holds what ${Object.keys(cluster.agents).length} agent types need`)

/** The same cluster, with the stand-ins' containers in place of the outside. */
function inContainers(loaded: Cluster): Cluster {
  const secrets = Object.values(loaded.secrets).map((secret) => [secret.name, atContainer(secret)] as const)
  return { ...loaded, secrets: Object.fromEntries(secrets) }
}

function atContainer(secret: Secret): Secret {
  if (secret.connect) return { ...secret, connect: { ...secret.connect, host: 'postgres', port: 5432 } }
  if (!secret.egress) return secret
  const networks = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']
  return { ...secret, egress: { ...secret.egress, baseUrl: 'http://models:8080', networks } }
}

function giveToSidecar(file: string, content: string): void {
  writeFileSync(file, content, { mode: 0o400 })
  chownSync(file, USERS.sidecar, USERS.sidecar)
}
