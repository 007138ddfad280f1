import { randomBytes } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { DevVault, StoreDamagedError } from '#lib/dev-vault'
import { silentLog, systemClock } from '#lib/runtime'
import { RecordedSql } from '../../support/recorded-sql.ts'
import { callAt } from '../../support/vault-target.ts'

const rootToken = 'root-token-of-this-test'
const parent = mkdtempSync(join(tmpdir(), 'tb-store-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))
const newFolder = () => mkdtempSync(join(parent, 'folder-'))

function openIn(data: string, options: object = {}) {
  return DevVault.open({ clock: systemClock, rootToken, log: silentLog, data, ...options })
}

/** A Vault in a folder, filled with one of everything; `again` opens the folder after its end. */
async function setup() {
  const data = join(newFolder(), 'data')
  const sqlExecutor = new RecordedSql()
  const vault = await openIn(data, { sqlExecutor })
  const unsealKey = vault.unsealKey!
  const root = callAt(vault.address, rootToken)
  await root('POST', 'sys/mounts/kv', { type: 'kv-v2', description: 'kept' })
  await root('POST', 'sys/mounts/database', { type: 'database' })
  await root('POST', 'sys/auth/approle', { type: 'approle' })
  await root('PUT', 'sys/policies/acl/reader', {
    policy:
      'path "kv/data/*" { capabilities = ["read"] } path "database/creds/r" { capabilities = ["read"] }',
  })
  await root('POST', 'database/config/db', {
    plugin_name: 'postgresql-database-plugin',
    connection_url: 'postgresql://{{username}}:{{password}}@db/x',
    username: 'admin',
    password: 'pw',
    allowed_roles: ['*'],
  })
  await root('POST', 'database/roles/r', {
    db_name: 'db',
    creation_statements: [`CREATE ROLE "{{name}}"`],
    revocation_statements: [`DROP ROLE "{{name}}"`],
    default_ttl: '1h',
  })
  return {
    data,
    vault,
    root,
    unsealKey,
    sqlExecutor,
    again: (options: object = {}) => openIn(data, { unsealKey, sqlExecutor, ...options }),
  }
}

describe('a folder', () => {
  test('keeps values, policies, tokens, roles, leases and wrapped replies over a restart', async () => {
    const world = await setup()
    const { root } = world
    await root('POST', 'kv/data/a', { data: { a: 1 } })
    await root('POST', 'kv/data/a', { data: { a: 2 } })
    const role = { token_policies: ['reader'], token_ttl: '1h', secret_id_num_uses: 2 }
    await root('POST', 'auth/approle/role/agent', role)
    const roleId = (await root('GET', 'auth/approle/role/agent/role-id')).body.data.role_id
    const secretId = (await root('POST', 'auth/approle/role/agent/secret-id', {})).body.data.secret_id
    const login = (at: string) =>
      callAt(at, '')('POST', 'auth/approle/login', { role_id: roleId, secret_id: secretId })
    const agent = (await login(world.vault.address)).body.auth.client_token
    const lease = (await callAt(world.vault.address, agent)('GET', 'database/creds/r')).body
    const batch = (
      await root('POST', 'auth/token/create', { type: 'batch', policies: ['reader'], ttl: '1h' })
    ).body.auth.client_token
    const wrapped = (await root('GET', 'kv/data/a', undefined, { 'x-vault-wrap-ttl': '600' })).body.wrap_info
    const path = 'database/static-roles/s'
    await root('POST', path, { db_name: 'db', username: 's', rotation_period: '1h' })
    const before = (await root('GET', 'database/static-creds/s')).body.data.password
    await world.vault[Symbol.asyncDispose]()
    expect(world.sqlExecutor.ran).not.toContain(`DROP ROLE "${lease.data.username}"`)

    await using vault = await world.again()
    const as = (token: string) => callAt(vault.address, token)
    expect((await as(rootToken)('GET', 'kv/data/a?version=1')).body.data.data).toEqual({ a: 1 })
    expect((await as(rootToken)('GET', 'sys/mounts')).body.data['kv/']).toMatchObject({ description: 'kept' })
    for (const token of [agent, batch])
      expect((await as(token)('GET', 'kv/data/a')).body.data.data).toEqual({ a: 2 })
    expect((await as(wrapped.token)('POST', 'sys/wrapping/unwrap')).body.data.data).toEqual({ a: 2 })
    expect((await as(rootToken)('GET', 'database/static-creds/s')).body.data.password).toBe(before)
    expect((await as(agent)('POST', 'auth/token/renew-self', { increment: '30m' })).body.auth).toMatchObject({
      lease_duration: 1800,
    })
    const renewed = await as(rootToken)('PUT', 'sys/leases/renew', {
      lease_id: lease.lease_id,
      increment: 120,
    })
    expect(renewed.body.lease_duration).toBe(120)
    expect([(await login(vault.address)).status, (await login(vault.address)).status]).toEqual([200, 400])
    await as(rootToken)('POST', 'auth/token/revoke', { token: agent })
    await vault.settled()
    expect(world.sqlExecutor.ran).toContain(`DROP ROLE "${lease.data.username}"`)
  })

  test('what was not revoked before the end is revoked after the start', async () => {
    const world = await setup()
    const { data, lease_id: leaseId } = (await world.root('GET', 'database/creds/r')).body
    world.sqlExecutor.failing = true
    expect((await world.root('PUT', 'sys/leases/revoke', { lease_id: leaseId, sync: false })).status).toBe(
      202,
    )
    await world.vault[Symbol.asyncDispose]()
    world.sqlExecutor.failing = false
    await using vault = await world.again()
    await expect.poll(() => world.sqlExecutor.ran).toContain(`DROP ROLE "${data.username}"`)
    expect(vault.unsealKey).toBe(world.unsealKey)
  })

  test('holds no value, token or password in clear, and is for its owner alone', async () => {
    const world = await setup()
    const canary = randomBytes(12).toString('hex')
    await world.root('POST', 'kv/data/a', { data: { canary } })
    await world.vault[Symbol.asyncDispose]()
    expect(statSync(world.data).mode & 0o777).toBe(0o700)
    for (const file of readdirSync(world.data)) {
      const bytes = readFileSync(join(world.data, file))
      for (const secret of [canary, rootToken, 'capabilities', 'postgresql', world.unsealKey])
        expect(bytes.includes(secret)).toBe(false)
      expect(bytes.includes(Buffer.from(world.unsealKey, 'hex'))).toBe(false)
      expect(statSync(join(world.data, file)).mode & 0o777).toBe(0o600)
    }
  })
})

describe('without its key', () => {
  test('it starts sealed, and the key unseals it with all that it kept', async () => {
    const world = await setup()
    await world.root('POST', 'kv/data/a', { data: { a: 1 } })
    await world.vault[Symbol.asyncDispose]()
    await using vault = await world.again({ unsealKey: undefined })
    const root = callAt(vault.address, rootToken)
    expect((await root('GET', 'kv/data/a')).status).toBe(503)
    expect((await root('PUT', 'sys/unseal', { key: '00'.repeat(32) })).status).toBe(400)
    expect((await root('PUT', 'sys/unseal', { key: world.unsealKey })).body.sealed).toBe(false)
    expect((await root('GET', 'kv/data/a')).body.data.data).toEqual({ a: 1 })
  })

  test('a wrong key and a damaged file are refused, and nothing is served', async () => {
    const world = await setup()
    await world.vault[Symbol.asyncDispose]()
    await expect(world.again({ unsealKey: '00'.repeat(32) })).rejects.toThrow('invalid key')
    const file = join(world.data, 'state')
    const bytes = readFileSync(file)
    bytes[40]! ^= 1
    writeFileSync(file, bytes)
    await expect(world.again()).rejects.toThrow(StoreDamagedError)
  })

  test('sys/init of a new folder hands out shares that open it later', async () => {
    const data = join(newFolder(), 'data')
    const first = await openIn(data, { rootToken: undefined })
    const { body } = await callAt(first.address, '')('PUT', 'sys/init', {
      secret_shares: 3,
      secret_threshold: 2,
    })
    await first[Symbol.asyncDispose]()
    await using vault = await openIn(data, { rootToken: undefined })
    const call = callAt(vault.address, body.root_token)
    for (const key of body.keys.slice(1)) await call('PUT', 'sys/unseal', { key })
    expect((await call('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  test.each([
    ['state', 0],
    ['state', 11],
    ['state', 27],
    ['keyring', 0],
    ['keyring', 5],
  ])('of the file %s only %i bytes are left: it is said which one is damaged', async (name, length) => {
    const world = await setup()
    await world.vault[Symbol.asyncDispose]()
    const file = join(world.data, name)
    truncateSync(file, length)
    const opened = world.again().then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(await opened).toBeInstanceOf(StoreDamagedError)
    expect(await opened).toMatchObject({ message: expect.stringContaining(file) as string })
  })
})

test('a folder whose first write failed is as new', async () => {
  const data = newFolder()
  mkdirSync(join(data, 'state.new'))
  await expect(openIn(data)).rejects.toThrow('EISDIR')
  rmdirSync(join(data, 'state.new'))
  await using vault = await openIn(data)
  expect((await callAt(vault.address, rootToken)('GET', 'sys/mounts')).status).toBe(200)
})
