/**
 * The job `credentials` of docker-compose.yml: every credential that is not there yet, each in the volume of its
 * readers, owned by the user that reads it. Nothing is printed but names. Runs as root, without a network.
 */
import { createHash, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { loadCluster } from '#lib/cluster'
import { type RedisUser, workerUser } from '#lib/queue'
import { CLUSTER_FILE, OPERATOR_STATE, redisConfig, USERS } from './layout.ts'

const cluster = await loadCluster(CLUSTER_FILE)
const agentTypes = Object.keys(cluster.agents)

/** Where each user of Redis finds its password; who enqueues with plain BullMQ is given the producer's volume to look into. */
const redisPasswords = new Map<RedisUser, string>([
  ['probe', once('/keys/redis/redis-password', USERS.redis, token)],
  ['enqueue', once('/keys/producer/redis-enqueue', USERS.producer, token)],
  ['producer', once('/keys/producer/redis-password', USERS.producer, token)],
  ['console', once('/keys/console/redis-password', USERS.console, token)],
  ['sidecar', once('/keys/sidecar/redis-password', USERS.sidecar, token)],
  ['rotator', once('/keys/rotator/redis-password', USERS.rotator, token)],
  ...agentTypes.map((type): [RedisUser, string] => [
    workerUser(type),
    once(`/keys/worker-${type}/redis-password`, USERS.root, token),
  ]),
])
give(
  '/keys/redis/redis.conf',
  USERS.redis,
  redisConfig(cluster, (user) => redisPasswords.get(user)!),
)

const rootToken = once('/keys/vault/root-token', USERS.vault, token)
give('/keys/bootstrap/root-token', USERS.root, rootToken)

once('/keys/postgres/postgres-password', USERS.postgres, token)
const ordersPassword = once('/keys/postgres/orders-password', USERS.postgres, token)
give('/keys/bootstrap/orders-db-admin', USERS.root, `orders_admin:${ordersPassword}`)

const modelKeys = {
  anthropic: once('/keys/bootstrap/anthropic-api-key', USERS.root, token),
  openai: once('/keys/bootstrap/openai-api-key', USERS.root, token),
  openaiAdmin: once('/keys/bootstrap/openai-admin-key', USERS.root, token),
}
const project = cluster.secrets['openai-api-key']?.rotate?.project ?? 'default'
const accepted = {
  anthropic: [modelKeys.anthropic],
  openai: [{ key: modelKeys.openai, project }],
  'openai-admin': [modelKeys.openaiAdmin],
}
give('/keys/models/model-keys.json', USERS.models, JSON.stringify(accepted))

const signingKey = once('/keys/producer/signing-key.pem', USERS.producer, () =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
)
give(
  '/cluster/signing-key.pub.pem',
  USERS.root,
  createPublicKey(signingKey).export({ type: 'spki', format: 'pem' }),
  0o644,
)

const apiKeyOfOperators = once('/keys/producer/api-key', USERS.producer, apiKey)
const apiKeys = [{ hash: hashOf(apiKeyOfOperators), caller: 'local', tenant: 'default' }]
const workerKeys = agentTypes.map((agentType) => {
  const folder = `/keys/worker-${agentType}`
  const credential = once(`${folder}/sidecar-credential`, USERS.root, token)
  give(`/keys/sidecar/agent-types/${agentType}`, USERS.sidecar, credential)
  own(`/sockets/${agentType}`, USERS.sidecar, 0o700)
  const hash = hashOf(once(`${folder}/api-key`, USERS.root, apiKey))
  return { hash, caller: agentType, tenant: 'default', agentType }
})
give('/keys/producer/api-keys.json', USERS.producer, JSON.stringify([...apiKeys, ...workerKeys]))
give('/keys/console/api-keys.json', USERS.console, JSON.stringify(apiKeys))
own('/sockets/operator', USERS.sidecar, 0o700)
own('/sockets/rotator', USERS.rotator, 0o700)
own('/models', USERS.models, 0o700)
own('/audit', USERS.sidecar, 0o700)

give('/keys/operator/vault-root-token', USERS.root, rootToken)
give('/keys/operator/redis-password', USERS.root, redisPasswords.get('console')!)
give('/keys/operator/api-key', USERS.root, apiKeyOfOperators)
give('/keys/operator/operator', USERS.root, once('/keys/sidecar/operator-credential', USERS.sidecar, token))
give('/keys/operator/rotator', USERS.root, once('/keys/rotator/operator-credential', USERS.rotator, token))
give('/keys/operator/up.json', USERS.root, JSON.stringify(OPERATOR_STATE))

console.log('credentials are in place')

/** The content of a file, made when it is not there. */
function once(file: string, user: number, make: () => string): string {
  const content = existsSync(file) ? readFileSync(file, 'utf8') : make()
  give(file, user, content)
  return content
}

function give(file: string, user: number, content: string, mode = 0o400): void {
  const folder = dirname(file)
  mkdirSync(folder, { recursive: true })
  if (folder !== '/cluster') own(folder, user, 0o700)
  writeFileSync(file, content, { mode })
  own(file, user, mode)
}

function own(path: string, user: number, mode: number): void {
  chownSync(path, user, user)
  chmodSync(path, mode)
}

function token(): string {
  return randomBytes(32).toString('base64url')
}

function apiKey(): string {
  return `tbk_${token()}`
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}
