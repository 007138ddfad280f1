import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresExecutor } from '#lib/dev-vault'
import { openScratchPostgres, type ScratchPostgres } from '../../support/scratch-postgres.ts'
import { openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let postgres: ScratchPostgres
beforeAll(async () => {
  postgres = await openScratchPostgres()
  await postgres.query(`CREATE TABLE orders (id int); INSERT INTO orders VALUES (1);
    CREATE ROLE manager LOGIN CREATEROLE PASSWORD 'manager-pw'; GRANT ALL ON SCHEMA public TO manager WITH GRANT OPTION;
    GRANT SELECT ON orders TO manager WITH GRANT OPTION; GRANT pg_signal_backend TO manager`)
})
afterAll(() => postgres[Symbol.asyncDispose]())

const CREATE = [
  `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';
   GRANT SELECT ON orders TO "{{name}}"; GRANT CREATE ON SCHEMA public TO "{{name}}"`,
]

async function setup(options: { user?: string; password?: string; create?: string[] } = {}) {
  const executor = new PostgresExecutor()
  const vault = await openVaultTarget({ sqlExecutor: executor })
  await vault.root('POST', 'sys/mounts/database', { type: 'database' })
  const configured = await vault.root('POST', 'database/config/db', {
    plugin_name: 'postgresql-database-plugin',
    connection_url: `postgresql://{{username}}:{{password}}@/postgres?host=${postgres.directory}&port=${postgres.port}`,
    username: options.user ?? 'admin',
    password: options.password ?? postgres.password,
    allowed_roles: ['agent'],
  })
  expect(configured.body?.errors).toBeUndefined()
  await vault.root('POST', 'database/roles/agent', {
    db_name: 'db',
    creation_statements: options.create ?? CREATE,
    default_ttl: '5m',
  })
  const lease = async (target: VaultTarget['root'] = vault.root) => {
    const { body } = await target('GET', 'database/creds/agent')
    expect(body.errors).toBeUndefined()
    return { id: body.lease_id, user: body.data.username, password: body.data.password }
  }
  const revoke = (id: string) => vault.root('PUT', 'sys/leases/revoke', { lease_id: id, sync: true })
  return {
    vault,
    lease,
    revoke,
    async [Symbol.asyncDispose]() {
      await vault[Symbol.asyncDispose]()
      await executor[Symbol.asyncDispose]()
    },
  }
}

const exists = async (user: string) =>
  (await postgres.query(`SELECT 1 FROM pg_roles WHERE rolname = '${user}'`)).length === 1

describe('I6 gone: without statements of its own, a role ends its users whole', () => {
  test('an open session is cut, what the user owns is dropped, the user is gone', async () => {
    await using world = await setup()
    const made = await world.lease()
    const session = await postgres.session(made)
    await session.query('CREATE TABLE mine (id int)')
    const busy = session.query('SELECT pg_sleep(60)').catch((error: Error) => error)
    expect((await world.revoke(made.id)).status).toBe(204)
    expect(await busy).toBeInstanceOf(Error)
    expect(await exists(made.user)).toBe(false)
    expect(await postgres.query(`SELECT 1 FROM pg_tables WHERE tablename = 'mine'`)).toEqual([])
    await expect(postgres.session(made)).rejects.toThrow()
  })

  test('a connection user without superuser rights can do it as well', async () => {
    await using world = await setup({ user: 'manager', password: 'manager-pw' })
    const made = await world.lease()
    const session = await postgres.session(made)
    expect((await world.revoke(made.id)).body).toBeUndefined()
    expect(await exists(made.user)).toBe(false)
    await expect(session.query('SELECT 1')).rejects.toThrow()
  })

  test('a user that is gone already is no error', async () => {
    await using world = await setup()
    const made = await world.lease()
    await postgres.query(`DROP OWNED BY "${made.user}"; DROP ROLE "${made.user}"`)
    expect((await world.revoke(made.id)).status).toBe(204)
  })

  test('20 leases at once are made and ended with their token within 2 s, at 5 times the slack', async () => {
    await using world = await setup()
    const { call, token } = await tokenWith(
      world.vault,
      'path "database/creds/agent" { capabilities = ["read"] }',
    )
    const made = await Promise.all(Array.from({ length: 20 }, () => world.lease(call)))
    const revokedAt = Date.now()
    await world.vault.root('POST', 'auth/token/revoke', { token })
    for (const { user } of made) await expect.poll(() => exists(user)).toBe(false)
    expect(Date.now() - revokedAt).toBeLessThan(5 * 2000)
  })

  test('what is leased at the end of the dev Vault ends with it', async () => {
    const world = await setup()
    const made = await world.lease()
    await world[Symbol.asyncDispose]()
    expect(await exists(made.user)).toBe(false)
  })
})

describe('a creation that fails', () => {
  test('leaves no user, and its error holds no password', async () => {
    await using world = await setup({
      create: [
        `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`,
        `GRANT SELECT ON '{{password}}' TO "{{name}}"`,
      ],
    })
    const before = await postgres.query('SELECT count(*) FROM pg_roles')
    const { status, body } = await world.vault.root('GET', 'database/creds/agent')
    expect(status).toBe(500)
    expect(body.errors[0]).not.toMatch(/A1a-\w{28}/)
    expect(await postgres.query('SELECT count(*) FROM pg_roles')).toEqual(before)
  })
})

const busy = () => postgres.query("SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")

test('a Postgres that is killed in the middle of a statement ends that call, never the dev Vault', async () => {
  await using world = await setup({ create: ['SELECT pg_sleep(60)'] })
  const asked = world.vault.root('GET', 'database/creds/agent')
  await expect.poll(busy).toHaveLength(1)
  process.kill(Number((await busy())[0]!['pid']), 'SIGKILL')
  expect((await asked).status).toBe(500)
  await world.vault.root('POST', 'database/roles/agent', { creation_statements: CREATE })
  await expect.poll(async () => (await world.vault.root('GET', 'database/creds/agent')).status).toBe(200)
})
