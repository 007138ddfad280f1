import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { parseCluster } from '#lib/cluster'
import { redisAcl, redisUsers } from '#lib/queue'
import { OPERATOR_STATE, redisConfig, USERS } from '../../../deploy/docker/layout.ts'

interface Service {
  image?: string
  command?: string | string[]
  user?: string
  cap_drop?: string[]
  ulimits?: { core?: number }
  environment?: Record<string, string>
  networks?: string[]
  ports?: string[]
  volumes?: string[]
  depends_on?: Record<string, unknown>
}
interface Compose {
  version: string
  services: Record<string, Service>
  networks: Record<string, unknown>
  volumes: Record<string, unknown>
}

const text = readFileSync('docker-compose.yml', 'utf8')
const compose = parseYaml(text, { merge: true }) as Compose
const services = Object.entries(compose.services)
const cluster = parseCluster(readFileSync('deploy/demo/threadbound.yaml', 'utf8'), {
  file: 'deploy/demo/threadbound.yaml',
  files: { realpath: (path) => path, isFile: () => true },
})

/** What services read from the environment, without what all of them read. */
const OWN_KEYS: Record<string, string[]> = {
  producer: ['HOST', 'PORT', 'SIGNING_KEY_FILE', 'API_KEYS_FILE'],
  console: ['HOST', 'PORT', 'API_KEYS_FILE', 'TRACES_URL'],
  sidecar: ['SOCKET_DIR', 'CREDENTIALS_DIR', 'PUBLIC_KEY_FILE', 'AUDIT_FILE', 'OPERATOR_SOCKET', 'OPERATOR_CREDENTIAL_FILE', 'VAULT_ADDRESS', 'VAULT_ROLE_ID_FILE', 'VAULT_SECRET_ID_FILE'], // prettier-ignore
  rotator: ['OPERATOR_SOCKET', 'OPERATOR_CREDENTIAL_FILE', 'VAULT_ADDRESS', 'VAULT_ROLE_ID_FILE', 'VAULT_SECRET_ID_FILE'], // prettier-ignore
  worker: ['AGENT_TYPE', 'SIDECAR_SOCKET', 'SIDECAR_CREDENTIAL_FILE', 'PRODUCER_URL', 'API_KEY_FILE', 'PUBLIC_KEY_FILE', 'RUNTIME_DIR'], // prettier-ignore
}
const COMMON_KEYS = [
  'CLUSTER_FILE',
  'REDIS_URL',
  'REDIS_USER',
  'REDIS_PASSWORD_FILE',
  'TELEMETRY_ENDPOINT',
  'LOG_LEVEL',
]

const samePassword = (user: string) => user
const isJob = (command: string | string[]) => String(command).includes('deploy/docker/')
const mountedBy = (volume: string) =>
  services
    .filter(([, { volumes = [] }]) => volumes.some((mount) => mount.startsWith(`${volume}:`)))
    .map(([name]) => name)

describe('docker-compose.yml', () => {
  test('uses nothing that only compose v2 reads', () => {
    const keys = Object.keys(compose).filter((key) => !key.startsWith('x-'))
    expect(keys).toEqual(['version', 'services', 'networks', 'volumes'])
    expect(compose.version).toBe('3.8')
  })

  test('has one worker for each agent type of the demo, and no other', () => {
    const types = services.flatMap(([name, { environment }]) =>
      name.startsWith('worker-') ? [[name, environment?.['TB_AGENT_TYPE']]] : [],
    )
    expect(types).toEqual(Object.keys(cluster.agents).map((type) => [`worker-${type}`, type]))
  })

  test('gives each service exactly the variables that it reads', () => {
    for (const [name, { environment = {} }] of services) {
      const own = OWN_KEYS[name.startsWith('worker-') ? 'worker' : name]
      const expected = own && [...COMMON_KEYS, ...own].map((key) => `TB_${key}`).toSorted()
      if (expected) expect(Object.keys(environment).toSorted(), name).toEqual(expected)
    }
  })

  test('holds no credential: what names one is a file', () => {
    for (const [name, { environment = {} }] of services)
      for (const key of Object.keys(environment))
        if (/PASSWORD|TOKEN|SECRET|CREDENTIAL|_KEY/.test(key)) expect(key, name).toMatch(/_(?:FILE|DIR)$/)
  })

  test('gives each service its own Redis user, with the rights that `up` gives it (G8)', () => {
    const scope = { cluster: cluster.name, environment: cluster.environment }
    const agentTypes = Object.values(cluster.agents)
    expect(redisConfig(cluster, samePassword)).toContain(
      redisAcl({ scope, agentTypes, password: samePassword }),
    )
    const used = services.flatMap(([name, { environment }]) =>
      environment?.['TB_REDIS_USER'] ? [`${name} as ${environment['TB_REDIS_USER']}`] : [],
    )
    const expected = redisUsers(agentTypes).filter((user) => !['probe', 'enqueue'].includes(user))
    expect(new Set(used)).toEqual(new Set(expected.map((user) => `${user} as ${user}`)))
  })

  test('lets nobody but sidecar, rotator, an operator and the job that fills it reach Vault (I5 least)', () => {
    const beside = services
      .filter(([, { networks = [] }]) => networks.includes('secrets'))
      .map(([name]) => name)
    expect(beside).toEqual(['bootstrap', 'vault', 'postgres', 'models', 'sidecar', 'rotator', 'operator'])
  })

  test('shows each credential to its reader and to the jobs only (I5 least)', () => {
    const jobs = ['credentials', 'bootstrap']
    for (const volume of Object.keys(compose.volumes).filter((name) => name.startsWith('keys-'))) {
      const owner = volume.replace('keys-', '')
      const readers = mountedBy(volume).filter((name) => !jobs.includes(name))
      const expected = Object.hasOwn(cluster.agents, owner) ? [`worker-${owner}`] : [owner]
      expect(readers, volume).toEqual(owner === 'bootstrap' ? [] : expected)
    }
  })

  test('shows the socket of an agent type to its worker and the sidecar only (I5 least)', () => {
    for (const type of Object.keys(cluster.agents))
      expect(mountedBy(`socket-${type}`).toSorted()).toEqual(
        ['credentials', 'sidecar', `worker-${type}`].toSorted(),
      )
  })

  test('shows the sidecar’s socket for operators, and where everything is, to the operator only (I5 least)', () => {
    expect(mountedBy('socket-operator')).toEqual(['credentials', 'sidecar', 'operator'])
    const { socket, credentialFile } = OPERATOR_STATE.operator
    expect(compose.services['sidecar']!.environment!['TB_OPERATOR_SOCKET']).toBe(socket)
    const mounts = compose.services['operator']!.volumes!.map((mount) => mount.split(':')[1]!)
    const { apiKeyFile, vaultTokenFile, clusterFile, auditFile, auditRedis } = OPERATOR_STATE
    const files = [socket, credentialFile, apiKeyFile, vaultTokenFile, clusterFile, auditFile]
    for (const file of [...files, auditRedis.passwordFile]) expect(mounts).toContain(dirname(file))
  })

  test('publishes ports on this machine only, and none of Redis, Vault or Postgres', () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port] as const))
    expect(published.map(([name]) => name)).toEqual(['jaeger', 'producer', 'console'])
    for (const [, port] of published) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test('runs every service of ours but the workers as a user of its own, without capabilities', () => {
    for (const name of ['producer', 'console', 'sidecar', 'rotator', 'models'] as const) {
      expect(compose.services[name]!.user, name).toBe(`${USERS[name]}:${USERS[name]}`)
      expect(compose.services[name]!.cap_drop, name).toEqual(['ALL'])
    }
    const users = ['producer', 'console', 'sidecar', 'rotator', 'models'].map(
      (name) => compose.services[name]!.user,
    )
    expect(new Set(users).size).toBe(5)
  })

  test('lets no Node of ours open its inspector on a signal, or leave a core', () => {
    const ours = services.filter(([, { command }]) => command?.includes('node') && !isJob(command))
    expect(ours.map(([name]) => name)).toHaveLength(8)
    for (const [name, { command, ulimits }] of ours) {
      expect(command, name).toContain('--disable-sigusr1')
      expect(ulimits, name).toEqual({ core: 0 })
    }
  })

  test('declares every volume and network that it uses, and uses all that it declares', () => {
    const volumes = services.flatMap(([, { volumes = [] }]) => volumes.map((mount) => mount.split(':')[0]!))
    const named = volumes.filter((source) => !source.startsWith('.'))
    expect([...new Set(named)].toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
    const networks = services.flatMap(([, { networks = [] }]) => networks)
    expect([...new Set(networks)].toSorted()).toEqual(Object.keys(compose.networks).toSorted())
  })
})

test("the demo's cluster has the three agent types, and secrets for each model", () => {
  expect(Object.keys(cluster.agents)).toEqual(['coordinator', 'request-handler', 'database-agent'])
  expect(cluster.agents['coordinator']).toMatchObject({
    type: 'singleton',
    mayCall: ['request-handler', 'database-agent'],
  })
  expect(Object.keys(cluster.secrets)).toEqual([
    'anthropic-api-key',
    'openai-api-key',
    'openai-admin-key',
    'orders-db-admin',
    'orders-db',
  ])
  expect(cluster.development.standIn).toEqual(['anthropic', 'openai', 'postgres'])
})
