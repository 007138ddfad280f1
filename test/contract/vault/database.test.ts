import { planPolicies } from '#lib/vault'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresExecutor } from '#lib/dev-vault'
import { openScratchPostgres, type ScratchPostgres } from '../../support/scratch-postgres.ts'
import { ANY_OF } from '../../support/vault-differences.ts'
import { openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

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
  await postgres.query('CREATE TABLE orders (id int); INSERT INTO orders VALUES (1), (2)')
})
afterAll(async () => {
  await vault[Symbol.asyncDispose]()
  await executor[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
})

const CREATE = [
  `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
  `GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{username}}"`,
]
/** As `policies apply` writes them. */
const REVOKE = planPolicies({
  cluster: 'c',
  environment: 'e',
  agentTypes: [],
  databases: [{ secret: 'd', adminSecret: 'a', host: 'h', port: 1, database: 'd', grant: [], ttlMs: 1 }],
}).databases[0]!.role['revocation_statements'] as string[]
const connection = () => ({
  plugin_name: 'postgresql-database-plugin',
  connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${postgres.port}/postgres?sslmode=disable`,
  username: 'admin',
  password: postgres.password,
  allowed_roles: ['*'],
})

async function setup(role: object = {}) {
  const name = vault.unique('db')
  const configured = await vault.root('POST', `${mount}/config/${name}`, connection())
  expect(ANY_OF.written).toContain(configured.status)
  const written = await vault.root('POST', `${mount}/roles/${name}`, {
    db_name: name,
    creation_statements: CREATE,
    revocation_statements: REVOKE,
    default_ttl: '5m',
    max_ttl: '10m',
    ...role,
  })
  expect(written.status).toBe(204)
  const agent = await tokenWith(vault, `path "${mount}/creds/${name}" { capabilities = ["read"] }`)
  const lease = async () => (await agent.call('GET', `${mount}/creds/${name}`)).body
  return { name, agent, lease }
}

const exists = async (user: string) =>
  (await postgres.query(`SELECT 1 FROM pg_roles WHERE rolname = '${user}'`)).length === 1
/** By its process: the name of a user goes with the user. */
const isOpen = async (pid: number) =>
  (await postgres.query(`SELECT 1 FROM pg_stat_activity WHERE pid = ${pid}`)).length > 0
const gone = (user: string) => expect.poll(() => exists(user), { timeout: 15_000 }).toBe(false)

describe('credentials', () => {
  test('are a user of their own that can do what the role grants, and no more', async () => {
    const { lease, name } = await setup()
    const { data, ...envelope } = await lease()
    expect(envelope.lease_id).toMatch(new RegExp(`^${mount}/creds/${name}/\\w{24}$`))
    expect(envelope).toMatchObject({ lease_duration: 300, renewable: true })
    const as = { user: data.username, password: data.password }
    expect(await postgres.query('SELECT count(*)::int AS orders FROM orders', as)).toEqual([{ orders: 2 }])
    await expect(postgres.query('DELETE FROM orders', as)).rejects.toThrow('permission denied')
    expect((await lease()).data.username).not.toBe(data.username)
  })

  test('an unknown role is 400', async () => {
    const { status, body } = await vault.root('GET', `${mount}/creds/no-such-role`)
    expect([status, body.errors[0]]).toEqual([400, 'unknown role: no-such-role'])
  })

  test('a role that the connection does not allow makes no user', async () => {
    const { name, lease } = await setup()
    await vault.root('POST', `${mount}/config/${name}`, { ...connection(), allowed_roles: ['other'] })
    expect((await lease()).errors[0]).toContain('is not an allowed role')
  })

  test('the password of the connection is not told, and a wrong one is refused', async () => {
    const { name } = await setup()
    const { body } = await vault.root('GET', `${mount}/config/${name}`)
    expect(body.data).toMatchObject({ plugin_name: 'postgresql-database-plugin', allowed_roles: ['*'] })
    expect(JSON.stringify(body)).not.toContain(postgres.password)
    const wrong = await vault.root('POST', `${mount}/config/${name}-2`, {
      ...connection(),
      password: 'wrong-one',
    })
    expect(wrong.status).toBe(400)
    expect(JSON.stringify(wrong.body)).not.toContain('wrong-one')
  })
})

describe('I6 gone: a user ends with its lease', () => {
  test('one that is gone already does not keep its lease alive', async () => {
    const { lease } = await setup()
    const { lease_id, data } = await lease()
    await postgres.query(`DROP OWNED BY "${data.username}"; DROP ROLE "${data.username}"`)
    const { status } = await vault.root('PUT', 'sys/leases/revoke', { lease_id, sync: true })
    expect(ANY_OF.revoked).toContain(status)
    expect((await vault.root('PUT', 'sys/leases/lookup', { lease_id })).status).toBe(400)
  })

  test('a revoked lease drops the user and cuts its sessions', async () => {
    const { lease } = await setup()
    const { data, lease_id: leaseId } = await lease()
    const session = await postgres.session({ user: data.username, password: data.password })
    const { pid } = (await session.query('SELECT pg_backend_pid() AS pid')).rows[0]
    expect(await isOpen(pid)).toBe(true)
    const { status } = await vault.root('PUT', 'sys/leases/revoke', { lease_id: leaseId, sync: true })
    expect(ANY_OF.revoked).toContain(status)
    await gone(data.username)
    await expect.poll(() => isOpen(pid)).toBe(false)
    await expect(session.query('SELECT 1')).rejects.toThrow()
    const unknown = await vault.root('PUT', 'sys/leases/lookup', { lease_id: leaseId })
    expect([unknown.status, unknown.body.errors[0]]).toEqual([400, 'invalid lease'])
  })

  test('so does the end of the token that leased it', async () => {
    const { lease, agent } = await setup()
    const { data } = await lease()
    await vault.root('POST', 'auth/token/revoke', { token: agent.token })
    await gone(data.username)
  })

  test('so does the end of a parent of that token', async () => {
    const { name } = await setup()
    const parent = await tokenWith(
      vault,
      `path "auth/token/create" { capabilities = ["update"] }
       path "${mount}/creds/${name}" { capabilities = ["read"] }`,
    )
    const child = (await parent.call('POST', 'auth/token/create', {})).body.auth.client_token
    const { data } = (await vault.as(child)('GET', `${mount}/creds/${name}`)).body
    await vault.root('POST', 'auth/token/revoke-accessor', { accessor: parent.accessor })
    await gone(data.username)
  })

  test('so does revoke-prefix', async () => {
    const { lease, name } = await setup()
    const users = [(await lease()).data.username, (await lease()).data.username]
    await vault.root('PUT', `sys/leases/revoke-prefix/${mount}/creds/${name}`, { sync: true })
    for (const user of users) await gone(user)
  })

  test('so does time', async () => {
    const { lease } = await setup({ default_ttl: '1s' })
    await gone((await lease()).data.username)
  })

  test('what the role said at the lease counts when the role is gone', async () => {
    const { lease, name, agent } = await setup()
    const { data } = await lease()
    await vault.root('DELETE', `${mount}/roles/${name}`)
    await vault.root('POST', 'auth/token/revoke', { token: agent.token })
    await gone(data.username)
  })

  test('the last use of a token leaves no user behind', async () => {
    const { name } = await setup()
    const once = await tokenWith(vault, `path "${mount}/creds/${name}" { capabilities = ["read"] }`, {
      num_uses: 1,
      display_name: 'last',
    })
    const { body } = await once.call('GET', `${mount}/creds/${name}`)
    expect(body.errors[0]).toContain('token had one use left')
    await expect
      .poll(() => postgres.query(`SELECT 1 FROM pg_roles WHERE rolname LIKE 'v-token-la-%'`), {
        timeout: 10_000,
      })
      .toEqual([])
  })
})

test('I6 gone: what a batch token leases ends with its time, and with its parent', async () => {
  const { name } = await setup()
  const parent = await tokenWith(
    vault,
    `path "auth/token/create" { capabilities = ["update"] }
     path "${mount}/creds/${name}" { capabilities = ["read"] }`,
  )
  const lease = async (ttl: string) => {
    const made = await parent.call('POST', 'auth/token/create', { type: 'batch', ttl })
    return (await vault.as(made.body.auth.client_token)('GET', `${mount}/creds/${name}`)).body
  }
  const [short, long] = [await lease('3s'), await lease('4m')]
  expect(long.lease_duration).toBeLessThanOrEqual(240)
  expect(short.lease_duration).toBeLessThanOrEqual(3)
  await gone(short.data.username)
  expect(await exists(long.data.username)).toBe(true)
  await vault.root('POST', 'auth/token/revoke', { token: parent.token })
  await gone(long.data.username)
})

describe('renewal', () => {
  test('is told by the envelope, up to the maximum of the role', async () => {
    const { lease } = await setup()
    const { lease_id: leaseId, data } = await lease()
    const renewed = await vault.root('PUT', 'sys/leases/renew', { lease_id: leaseId, increment: 120 })
    expect(renewed.body).toMatchObject({ lease_id: leaseId, lease_duration: 120, renewable: true })
    const looked = await vault.root('PUT', 'sys/leases/lookup', { lease_id: leaseId })
    expect(looked.body.data).toMatchObject({ id: leaseId, renewable: true })
    expect(looked.body.data.ttl).toBeLessThanOrEqual(120)
    const capped = await vault.root('PUT', 'sys/leases/renew', { lease_id: leaseId, increment: 86_400 })
    expect(capped.body.lease_duration).toBeLessThanOrEqual(600)
    expect(capped.body.lease_duration).toBeGreaterThan(590)
    expect(await exists(data.username)).toBe(true)
  })

  test('of what is unknown or a token is 400', async () => {
    const renew = (id: string) => vault.root('PUT', 'sys/leases/renew', { lease_id: id })
    const unknown = await renew(`${mount}/creds/x/abc`)
    expect([unknown.status, unknown.body.errors[0]]).toEqual([400, 'lease not found'])
    const { status } = await vault.root('PUT', 'sys/leases/revoke', { lease_id: `${mount}/creds/x/abc` })
    expect(ANY_OF.revoked).toContain(status)
  })
})

test('leases are listed below their path', async () => {
  const { lease, name } = await setup()
  const { lease_id: leaseId } = await lease()
  const { body } = await vault.root('LIST', `sys/leases/lookup/${mount}/creds/${name}`)
  expect(body.data.keys).toEqual([leaseId.split('/').at(-1)])
})
