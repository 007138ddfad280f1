import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresExecutor } from '#lib/dev-vault'
import { openScratchPostgres, type ScratchPostgres } from '../../support/scratch-postgres.ts'
import { ANY_OF } from '../../support/vault-differences.ts'
import { openVaultTarget, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
let postgres: ScratchPostgres
let executor: PostgresExecutor
let mount: string
beforeAll(async () => {
  postgres = await openScratchPostgres()
  executor = new PostgresExecutor()
  vault = await openVaultTarget({ sqlExecutor: executor })
  mount = vault.unique('database')
  await vault.root('POST', `sys/mounts/${mount}`, { type: 'database' })
})
afterAll(async () => {
  await vault[Symbol.asyncDispose]()
  await executor[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
})

/** A connection through a superuser of its own. */
async function connect() {
  const name = vault.unique('db')
  const admin = `admin_${name.slice(-8)}`
  await postgres.query(`CREATE ROLE "${admin}" SUPERUSER LOGIN PASSWORD 'first-password'`)
  const { status } = await vault.root('POST', `${mount}/config/${name}`, {
    plugin_name: 'postgresql-database-plugin',
    connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${postgres.port}/postgres?sslmode=disable`,
    username: admin,
    password: 'first-password',
    allowed_roles: ['*'],
  })
  expect(ANY_OF.written).toContain(status)
  return { name, admin }
}

async function setup(settings: object = {}) {
  const { name } = await connect()
  const user = `svc_${name.slice(-8)}`
  await postgres.query(`CREATE ROLE "${user}" LOGIN PASSWORD 'old-password'`)
  const made = await vault.root('POST', `${mount}/static-roles/${name}`, {
    db_name: name,
    username: user,
    rotation_period: '1h',
    ...settings,
  })
  const credentials = async () => (await vault.root('GET', `${mount}/static-creds/${name}`)).body.data
  return { name, user, made, credentials }
}

const logsIn = (user: string, password: string) =>
  postgres.query('SELECT 1', { user, password }).then(
    () => true,
    () => false,
  )

describe('a static role', () => {
  test('takes over the password of its user at once', async () => {
    const { made, user, credentials, name } = await setup()
    expect(made.status).toBe(204)
    const data = await credentials()
    expect(data).toMatchObject({
      username: user,
      rotation_period: 3600,
      last_vault_rotation: expect.any(String),
    })
    expect(data.ttl).toBeGreaterThan(3590)
    expect(await logsIn(user, data.password)).toBe(true)
    expect(await logsIn(user, 'old-password')).toBe(false)
    const role = (await vault.root('GET', `${mount}/static-roles/${name}`)).body.data
    expect(role).toMatchObject({ db_name: name, username: user, rotation_period: 3600 })
    expect(JSON.stringify(role)).not.toContain(data.password)
    expect((await vault.root('LIST', `${mount}/static-roles`)).body.data.keys).toContain(name)
  })

  test('gets a new password by hand', async () => {
    const { user, credentials, name } = await setup()
    const before = await credentials()
    expect((await vault.root('POST', `${mount}/rotate-role/${name}`)).status).toBe(204)
    const after = await credentials()
    expect(after.password).not.toBe(before.password)
    expect([await logsIn(user, after.password), await logsIn(user, before.password)]).toEqual([true, false])
  })

  test('gets a new password when its period is over', { timeout: 60_000 }, async () => {
    const { user, credentials } = await setup({ rotation_period: '5s' })
    const before = await credentials()
    await expect
      .poll(async () => (await credentials()).password, { timeout: 30_000, interval: 200 })
      .not.toBe(before.password)
    expect(await logsIn(user, before.password)).toBe(false)
  })

  test('rotates by its own statements', async () => {
    const { user, credentials } = await setup({
      rotation_statements: [`ALTER ROLE "{{name}}" PASSWORD '{{password}}' CONNECTION LIMIT 7`],
    })
    expect(await logsIn(user, (await credentials()).password)).toBe(true)
    const [role] = await postgres.query(`SELECT rolconnlimit FROM pg_roles WHERE rolname = '${user}'`)
    expect(role).toEqual({ rolconnlimit: 7 })
  })

  test('that is deleted leaves its user as it is', async () => {
    const { user, credentials, name } = await setup()
    const { password } = await credentials()
    expect((await vault.root('DELETE', `${mount}/static-roles/${name}`)).status).toBe(204)
    expect(await logsIn(user, password)).toBe(true)
    const { status, body } = await vault.root('GET', `${mount}/static-creds/${name}`)
    expect([status, body.errors[0]]).toEqual([400, `unknown role: ${name}`])
  })

  test.each([
    [{ rotation_period: '4s' }, 'rotation_period must be 5 seconds or more'],
    [{ username: '' }, 'username is a required field to create a static account'],
    [{ db_name: '' }, 'database name is a required field'],
    [{ rotation_period: null }, expect.stringMatching(/rotation_period (?:is required|must be provided)/)],
  ])('with %j is refused', async (settings, text: unknown) => {
    const { made } = await setup(settings)
    expect([made.status, made.body.errors[0]]).toEqual([400, text])
  })

  test('keeps its user, and shares no name with a dynamic role', async () => {
    const { name, user } = await setup()
    const other = await vault.root('POST', `${mount}/static-roles/${name}`, { username: 'other' })
    expect(other.body.errors[0]).toBe('cannot update static account username')
    const changed = { username: user, rotation_period: '2h' }
    expect((await vault.root('POST', `${mount}/static-roles/${name}`, changed)).status).toBe(204)
    const dynamic = await vault.root('POST', `${mount}/roles/${name}`, { db_name: name })
    expect([dynamic.status, dynamic.body.errors[0]]).toEqual([
      400,
      'Role and Static Role names must be unique',
    ])
    const unknown = await vault.root('POST', `${mount}/rotate-role/nobody`)
    expect([unknown.status, unknown.body.errors[0]]).toEqual([400, 'no static role found for role name'])
  })

  test('of a user that does not exist is not made', async () => {
    const { name } = await connect()
    const { status } = await vault.root('POST', `${mount}/static-roles/${name}`, {
      db_name: name,
      username: 'nobody-at-all',
      rotation_period: '1h',
    })
    expect(ANY_OF.refusedByDatabase).toContain(status)
    expect((await vault.root('GET', `${mount}/static-roles/${name}`)).status).toBe(404)
  })
})

describe('the connection itself', () => {
  test('gets a password that nobody else knows, and goes on', async () => {
    const { name, admin } = await connect()
    expect((await vault.root('POST', `${mount}/rotate-root/${name}`)).status).toBe(204)
    expect(await logsIn(admin, 'first-password')).toBe(false)
    await vault.root('POST', `${mount}/roles/${name}`, {
      db_name: name,
      creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`],
      default_ttl: '1m',
    })
    const { data } = (await vault.root('GET', `${mount}/creds/${name}`)).body
    expect(await logsIn(data.username, data.password)).toBe(true)
  })
})
