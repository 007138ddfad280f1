import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DevVault } from '#lib/dev-vault'
import { silentLog, systemClock } from '#lib/runtime'
import {
  LeaseSet,
  SecretDeniedError,
  SecretIdRefusedError,
  SecretReader,
  SidecarIdentity,
  wrappedLogin,
} from '#lib/secrets'
import {
  applyMounts,
  applyPolicies,
  issueWrappedSecretId,
  planPolicies,
  putSecret,
  VaultClient,
  vaultPath,
} from '#lib/vault'

const scope = { cluster: 'demo', environment: 'dev' }
const rootToken = `root-${randomUUID()}`
const desired = planPolicies({
  ...scope,
  agentTypes: [
    {
      name: 'database-agent',
      secrets: [
        { name: 'openai-api-key', kind: 'static' },
        { name: 'orders-db', kind: 'database' },
      ],
    },
    { name: 'writer', secrets: [{ name: 'anthropic-api-key', kind: 'static' }] },
  ],
  databases: [
    {
      secret: 'orders-db',
      adminSecret: 'orders-db-admin',
      host: '127.0.0.1',
      port: 5432,
      database: 'orders',
      grant: ['SELECT ON ALL TABLES IN SCHEMA public'],
      ttlMs: 300_000,
    },
  ],
})
const { names } = desired
const policyPath = (name: string) => vaultPath('sys', 'policies', 'acl', name)
const SECRETS = ['openai-api-key', 'anthropic-api-key', 'orders-db-admin']

/** Stands for Postgres: the statements that Vault would have run. */
const statements: string[] = []
const sqlExecutor = {
  run: async (_connection: unknown, run: string[]) => void statements.push(...run),
  forget: async () => {},
  [Symbol.asyncDispose]: async () => {},
}

let server: DevVault
let vault: VaultClient
beforeAll(async () => {
  server = await DevVault.open({ clock: systemClock, log: silentLog, rootToken, sqlExecutor })
  vault = await VaultClient.open({ address: server.address })
  await applyMounts(vault, rootToken, desired)
  for (const name of SECRETS)
    await putSecret(vault, rootToken, { ...scope, name, value: `admin:${name}-value` })
  await applyPolicies(vault, rootToken, desired)
})
afterAll(async () => {
  await vault[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const login = async () => {
  const { roleId, wrapped } = await issueWrappedSecretId(vault, rootToken, scope)
  const identity = await SidecarIdentity.open({
    vault,
    names,
    login: wrappedLogin({ vault, names, roleId, wrappedSecretId: wrapped.token }),
    log: silentLog,
  })
  return { identity, roleId, wrapped }
}
/** The sidecar's own token, as a thief of it would have it. */
const stolenToken = async () => {
  const { roleId, wrapped } = await issueWrappedSecretId(vault, rootToken, scope)
  const { secret_id: secretId } = await vault.unwrap(wrapped.token)
  return (await vault.approleLogin({ roleId, secretId: String(secretId) })).token
}
const denied = { kind: 'denied', status: 403 }

describe('bootstrap', () => {
  test('the same plan twice changes nothing', async () => {
    expect(await applyPolicies(vault, rootToken, desired)).toEqual({ changes: [], waiting: [] })
    for (const { name, text } of desired.policies)
      expect(await vault.inventory.read(rootToken, policyPath(name))).toMatchObject({ policy: text })
  })

  test('a secret-id can be unwrapped once, and a used one is refused', async () => {
    const { identity, roleId, wrapped } = await login()
    await using _identity = identity
    const again = SidecarIdentity.open({
      vault,
      names,
      login: wrappedLogin({ vault, names, roleId, wrappedSecretId: wrapped.token }),
      log: silentLog,
    })
    await expect(again).rejects.toThrow(SecretIdRefusedError)
  })

  test('a database whose admin secret has no value yet waits, and is told by name', async () => {
    const databases = desired.databases.map((database) => ({ ...database, adminSecret: 'absent' }))
    expect(await applyPolicies(vault, rootToken, { ...desired, databases })).toEqual({
      changes: [],
      waiting: [{ secret: 'orders-db', adminSecret: 'absent' }],
    })
  })
})

describe("I5 least: the sidecar's own token", () => {
  test('gets 403 on every secret path, for every verb', async () => {
    const token = await stolenToken()
    for (const secret of SECRETS) {
      await expect(vault.kvRead(token, names.secret(secret))).rejects.toMatchObject(denied)
      await expect(vault.kvWrite(token, names.secret(secret), { value: 'x' })).rejects.toMatchObject(denied)
    }
    await expect(vault.dbCreds(token, names.credentials('orders-db'))).rejects.toMatchObject(denied)
    const paths = [...SECRETS.map((secret) => names.secret(secret)), names.credentials('orders-db')]
    const able = await vault.capabilities(rootToken, token, paths)
    expect(new Set(Object.values(able).flat())).toEqual(new Set(['deny']))
  })

  test('mints no policy of its choice, no orphan, and nothing by another role', async () => {
    const token = await stolenToken()
    const mint = (path: ReturnType<typeof vaultPath>, data: object) => vault.kvWrite(token, path, data)
    await expect(mint(vaultPath('auth', 'token', 'create'), {})).rejects.toMatchObject(denied)
    await expect(mint(vaultPath('auth', 'token', 'create-orphan'), {})).rejects.toMatchObject(denied)
    await expect(vault.createToken(token, names.sidecar, { ttlMs: 1000 })).rejects.toMatchObject(denied)
    await expect(
      vault.createToken(token, 'tb--demo--prod--agent--writer', { ttlMs: 1000 }),
    ).rejects.toMatchObject(denied)
    const role = vaultPath('auth', 'token', 'roles', names.agent('writer'))
    await expect(vault.inventory.write(token, role, {})).rejects.toMatchObject(denied)
    const policy = policyPath(names.agent('writer'))
    await expect(vault.inventory.write(token, policy, { policy: 'path "*" {}' })).rejects.toMatchObject(
      denied,
    )
  })

  test('mints a token that has its type’s policy alone, dies with it and cannot be renewed', async () => {
    const token = await stolenToken()
    const child = await vault.createToken(token, names.agent('writer'), {
      ttlMs: 60_000,
      meta: { request: 'r' },
    })
    expect(child).toMatchObject({ policies: [names.agent('writer')], ttlMs: 60_000, renewable: false })
    expect(await vault.lookupAccessor(token, child.accessor)).toMatchObject({ meta: { request: 'r' } })
    await vault.revokeSelf(token)
    await expect(vault.kvRead(child.token, names.secret('anthropic-api-key'))).rejects.toMatchObject(denied)
  })
})

describe("an agent type's token", () => {
  test('reads the declared secret, and gets 403 on the secret of another type', async () => {
    const { identity } = await login()
    await using _identity = identity
    await using reader = await SecretReader.open({ identity, vault, names })
    const read = await reader.read('writer', 'anthropic-api-key')
    expect(read.value.reveal()).toBe('admin:anthropic-api-key-value')
    expect(read.generation).toBe(1)
    await expect(reader.read('writer', 'openai-api-key')).rejects.toThrow(SecretDeniedError)
    await expect(reader.read('database-agent', 'orders-db-admin')).rejects.toThrow(SecretDeniedError)
    const child = await identity.mint('writer', { ttlMs: 60_000 })
    const token = child.token.reveal()
    await expect(vault.kvRead(token, names.secret('openai-api-key'))).rejects.toMatchObject(denied)
    await expect(vault.dbCreds(token, names.credentials('orders-db'))).rejects.toMatchObject(denied)
    await expect(vault.createToken(token, names.agent('writer'), { ttlMs: 1 })).rejects.toMatchObject(denied)
  })
})

describe('I6 gone: a leased database user', () => {
  test('is made with its rights, and ended by the end of its attempt', async () => {
    const { identity } = await login()
    await using _identity = identity
    const databases = { 'orders-db': 'orders' }
    const options = { identity, vault, names, agentType: 'database-agent', timeoutMs: 30_000, databases }
    const leases = await LeaseSet.open({ ...options, log: silentLog })
    const { credentials } = await leases.lease('orders-db')
    expect(statements.join('\n')).toContain(
      `GRANT SELECT ON ALL TABLES IN SCHEMA public TO "${credentials.user}"`,
    )
    expect(await leases.end()).toBe(1)
    await server.settled()
    expect(statements.at(-1)).toContain(`DROP ROLE "${credentials.user}"`)
  })

  test('is ended with the sidecar too', async () => {
    const { identity } = await login()
    const databases = { 'orders-db': 'orders' }
    const options = { identity, vault, names, agentType: 'database-agent', timeoutMs: 30_000, databases }
    const leases = await LeaseSet.open({ ...options, log: silentLog })
    const { credentials } = await leases.lease('orders-db')
    await identity[Symbol.asyncDispose]()
    await server.settled()
    expect(statements.at(-1)).toContain(`DROP ROLE "${credentials.user}"`)
  })
})
