/**
 * The job `bootstrap` of docker-compose.yml: makes Vault hold what the demo's cluster needs, writes the cluster that
 * services read, and gives sidecar and rotator a login each that is good once. The same twice changes nothing but the login.
 */
import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { type Cluster, loadCluster, type Secret, vaultNeeds, writeResolvedCluster } from '#lib/cluster'
import {
  applyMounts,
  applyPolicies,
  isVaultError,
  issueWrappedSecretId,
  planPolicies,
  putSecret,
  VaultClient,
} from '#lib/vault'
import { CLUSTER_FILE, RESOLVED_FILE, USERS } from './layout.ts'

/** How long the sidecar may take to start after this job. */
const LOGIN_TTL_MS = 30 * 60_000
const STATIC_SECRETS = ['anthropic-api-key', 'openai-api-key', 'openai-admin-key', 'orders-db-admin']

const cluster = inContainers(await loadCluster(CLUSTER_FILE))
const scope = { cluster: cluster.name, environment: cluster.environment }
const rootToken = readFileSync('/keys/bootstrap/root-token', 'utf8')
await using client = await VaultClient.open({
  address: process.env['TB_VAULT_ADDRESS'] ?? 'http://vault:8200',
})

const desired = planPolicies(vaultNeeds(cluster))
await applyMounts(client, rootToken, desired)
for (const name of STATIC_SECRETS) await putFirst(name, readFileSync(`/keys/bootstrap/${name}`, 'utf8'))
await applyPolicies(client, rootToken, desired)
for (const service of ['sidecar', 'rotator'] as const) {
  const login = await issueWrappedSecretId(client, rootToken, { ...scope, service, wrapTtlMs: LOGIN_TTL_MS })
  give(service, 'vault-role-id', login.roleId)
  give(service, 'vault-secret-id', login.wrapped.token)
}
await writeResolvedCluster(cluster, RESOLVED_FILE)
console.log(`Vault holds what ${Object.keys(cluster.agents).length} agent types need`)

/** A value that is there already stays: it may have been rotated since. */
async function putFirst(name: string, value: string): Promise<void> {
  await putSecret(client, rootToken, { ...scope, name, value, cas: 0 }).catch((error: unknown) => {
    if (!isVaultError(error, 'conflict')) throw error
  })
}

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

function give(service: 'sidecar' | 'rotator', name: string, content: string): void {
  const file = `/keys/${service}/${name}`
  writeFileSync(file, content, { mode: 0o400 })
  chownSync(file, USERS[service], USERS[service])
}
