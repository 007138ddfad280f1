import { type Cluster, parseCluster, vaultNeeds } from '#lib/cluster'
import { DevVault, PostgresExecutor } from '#lib/dev-vault'
import { silentLog } from '#lib/runtime'
import type { ScratchPostgres } from './scratch-postgres.ts'
import { applyMounts, applyPolicies, planPolicies, putSecret, VaultClient } from '#lib/vault'
import { FaultyVault } from './faulty-vault.ts'
import { SetClock } from './set-clock.ts'

/** Values that must never be found anywhere but where they are used. */
export const CANARY = {
  anthropic: 'sk-ant-canary-anthropic-0123456789',
  openai: 'sk-canary-openai-0123456789',
  wrong: 'sk-canary-wrong-key-0123456789',
  plain: 'canary-plain-value-0123456789',
  admin: 'owner:canary-admin-0123456789',
}
/** Of the dev Vault. */
export const ROOT = 'root-token-of-the-test-0123'

const clusterText = (models: string) => `
cluster: test
environment: dev
agents:
  writer: { model: claude-sonnet-4-5, system: Be brief., secrets: [plain, web], timeout: 60s, accept-unsigned: true }
  coder: { model: gpt-4-turbo, system: SQL., secrets: [orders-db], timeout: 60s }
  stranger: { model: odd-1, system: x }
models:
  claude-*: { provider: anthropic, secret: anthropic-api-key }
  gpt-*: { provider: openai, secret: openai-api-key }
  odd-*: { provider: openai, secret: wrong-key }
secrets:
  anthropic-api-key:
    provider: anthropic
    egress: { base-url: "${models}", header: "x-api-key: {value}", allow: ["POST /v1/messages"] }
  openai-api-key:
    provider: openai
    egress: { base-url: "${models}", header: "authorization: Bearer {value}", allow: ["POST /v1/chat/completions"] }
  wrong-key:
    provider: openai
    egress: { base-url: "${models}", header: "authorization: Bearer {value}", allow: ["POST /v1/chat/completions"] }
  web:
    provider: openai
    egress: { base-url: "${models.replace('127.0.0.1', 'localhost')}", header: "authorization: Bearer {value}", allow: ["GET /v1/models"] }
  plain: { provider: custom, deliver: value }
  orders-db-admin: { provider: postgres-admin }
  orders-db:
    provider: postgres
    connect: { host: 127.0.0.1, port: 5432, database: orders, admin-secret: orders-db-admin }
    grant: ["SELECT ON ALL TABLES IN SCHEMA public"]
    ttl: 5m
`

/** The cluster of the tests: models are served at the address, the database's socket lies in the folder. */
export function testCluster(models: string, folder: string, postgres?: ScratchPostgres): Cluster {
  const cluster = parseCluster(clusterText(models), { file: `${folder}/threadbound.yaml` })
  const connect = cluster.secrets['orders-db']!.connect!
  connect.socket = folder
  if (postgres)
    Object.assign(connect, { socket: postgres.directory, port: postgres.port, database: 'postgres' })
  return cluster
}

/** Where the dev Vault runs SQL: a real Postgres, or nowhere but in a list. */
export interface DatabaseSide {
  sql: string[]
  postgres?: ScratchPostgres | undefined
}

/** A dev Vault with the cluster's policies and secrets. */
export async function openVault(
  cluster: Cluster,
  { sql, postgres }: DatabaseSide,
  stack: AsyncDisposableStack,
) {
  const noted = {
    run: async (_: unknown, statements: string[]) => void sql.push(...statements),
    forget: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  const sqlExecutor = postgres ? stack.use(new PostgresExecutor()) : noted
  const clock = new SetClock()
  const vault = stack.use(await DevVault.open({ clock, rootToken: ROOT, sqlExecutor, log: silentLog }))
  const faulty = stack.use(await FaultyVault.open(vault.address))
  const client = stack.use(await VaultClient.open({ address: faulty.address }))
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const desired = planPolicies(vaultNeeds(cluster))
  await applyMounts(client, ROOT, desired)
  const values = {
    'anthropic-api-key': CANARY.anthropic,
    'openai-api-key': CANARY.openai,
    'wrong-key': CANARY.wrong,
    web: CANARY.openai,
    plain: CANARY.plain,
    'orders-db-admin': postgres ? `admin:${postgres.password}` : CANARY.admin,
  }
  for (const [name, value] of Object.entries(values)) await putSecret(client, ROOT, { ...scope, name, value })
  await applyPolicies(client, ROOT, desired)
  return { vault, vaultClock: clock, faulty, client }
}
