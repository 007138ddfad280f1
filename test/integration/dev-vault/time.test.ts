import { describe, expect, test } from 'vitest'
import { DevVault } from '#lib/dev-vault'
import { silentLog } from '#lib/runtime'
import { RecordedSql } from '../../support/recorded-sql.ts'
import { TurnedClock } from '../../support/turned-clock.ts'

const rootToken = 'root-token-of-this-test'

async function setup() {
  const clock = new TurnedClock(Date.UTC(2026, 0, 1))
  const sql = new RecordedSql()
  const vault = await DevVault.open({ clock, rootToken, sqlExecutor: sql, log: silentLog })
  const call = async (method: string, path: string, body?: object, token = rootToken) => {
    const response = await fetch(`${vault.address}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': token },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text ? JSON.parse(text) : undefined }
  }
  await call('POST', 'sys/mounts/database', { type: 'database' })
  await call('POST', 'database/config/db', {
    plugin_name: 'postgresql-database-plugin',
    connection_url: 'postgresql://{{username}}:{{password}}@db/x',
    username: 'admin',
    password: 'pw',
    allowed_roles: ['r'],
  })
  await call('POST', 'database/roles/r', {
    db_name: 'db',
    creation_statements: [`CREATE ROLE "{{name}}" VALID UNTIL '{{expiration}}'`],
    revocation_statements: [`DROP ROLE "{{name}}"`],
    default_ttl: '1m',
    max_ttl: '3m',
  })
  const lease = async (token?: string) => (await call('GET', 'database/creds/r', undefined, token)).body
  const create = async (body: object) =>
    (await call('POST', 'auth/token/create', body)).body.auth.client_token
  const dropped = (user: string) => sql.ran.includes(`DROP ROLE "${user}"`)
  return {
    clock,
    sql,
    vault,
    call,
    lease,
    create,
    dropped,
    [Symbol.asyncDispose]: () => vault[Symbol.asyncDispose](),
  }
}

describe('I6 gone: time ends leases and tokens', () => {
  test('a user is dropped when its lease is over, not before, and lives 5 s longer in the database', async () => {
    await using world = await setup()
    const { data } = await world.lease()
    expect(world.sql.ran.at(-1)).toContain(`VALID UNTIL '2026-01-01 00:01:05+0000'`)
    await world.clock.advance(59_999)
    expect(world.dropped(data.username)).toBe(false)
    await world.clock.advance(1)
    await world.vault.settled()
    expect(world.dropped(data.username)).toBe(true)
  })

  test('a sealed Vault ends nothing by itself, and ends what is overdue when it opens', async () => {
    await using world = await setup()
    const { data } = await world.lease()
    await world.call('PUT', 'sys/seal')
    await world.clock.advance(120_000)
    expect(world.dropped(data.username)).toBe(false)
    await world.call('PUT', 'sys/unseal', { key: world.vault.unsealKey })
    await world.clock.advance(1)
    await world.vault.settled()
    expect(world.dropped(data.username)).toBe(true)
  })

  test('a token is over at its time, with its children and what they leased', async () => {
    await using world = await setup()
    const parent = await world.create({ policies: ['root'], ttl: '10s' })
    const made = await world.call('POST', 'auth/token/create', { policies: ['root'], ttl: '1h' }, parent)
    const child = made.body.auth.client_token
    const { data } = await world.lease(child)
    await world.clock.advance(10_000)
    await world.vault.settled()
    expect((await world.call('GET', 'auth/token/lookup-self', undefined, child)).status).toBe(403)
    expect(world.dropped(data.username)).toBe(true)
  })

  test('a renewal counts from now and never passes the maximum, which counts from the issue', async () => {
    await using world = await setup()
    const { lease_id: leaseId, data } = await world.lease()
    const renew = (increment: number) =>
      world.call('PUT', 'sys/leases/renew', { lease_id: leaseId, increment })
    await world.clock.advance(30_000)
    expect((await renew(100)).body.lease_duration).toBe(100)
    await world.clock.advance(90_000)
    expect((await renew(3600)).body.lease_duration).toBe(60)
    await world.clock.advance(60_000)
    await world.vault.settled()
    expect(world.dropped(data.username)).toBe(true)
    expect((await renew(10)).body.errors[0]).toBe('lease not found')
  })

  test('a shortened lease ends at its new time', async () => {
    await using world = await setup()
    const { lease_id: leaseId, data } = await world.lease()
    await world.call('PUT', 'sys/leases/renew', { lease_id: leaseId, increment: 5 })
    await world.clock.advance(5000)
    await world.vault.settled()
    expect(world.dropped(data.username)).toBe(true)
  })

  test('a revocation that fails is tried again, six times in all', async () => {
    await using world = await setup()
    const { data } = await world.lease()
    world.sql.failing = true
    await world.clock.advance(60_000)
    await world.clock.advance(9999)
    world.sql.failing = false
    expect(world.dropped(data.username)).toBe(false)
    await world.clock.advance(1)
    await world.vault.settled()
    expect(world.dropped(data.username)).toBe(true)

    const never = await world.lease()
    world.sql.failing = true
    await world.clock.advance(60_000 + 10_000 * 63)
    await world.vault.settled()
    world.sql.failing = false
    await world.clock.advance(86_400_000)
    expect(world.dropped(never.data.username)).toBe(false)
  })

  test('a failed revocation with sync keeps the lease and says so', async () => {
    await using world = await setup()
    const { lease_id: leaseId, data } = await world.lease()
    world.sql.failing = true
    const failed = await world.call('PUT', 'sys/leases/revoke', { lease_id: leaseId, sync: true })
    expect(failed.status).toBe(500)
    expect((await world.call('PUT', 'sys/leases/lookup', { lease_id: leaseId })).status).toBe(200)
    world.sql.failing = false
    await world.call('PUT', 'sys/leases/revoke', { lease_id: leaseId, sync: true })
    expect(world.dropped(data.username)).toBe(true)
  })

  test('a token that ended while its user was made leaves no user', async () => {
    await using world = await setup()
    const token = await world.create({ policies: ['root'], ttl: '1h' })
    const gate = Promise.withResolvers<void>()
    const run = world.sql.run.bind(world.sql)
    const entered = Promise.withResolvers<string>()
    world.sql.run = async (connection, statements) => {
      const user = /CREATE ROLE "([^"]+)"/.exec(statements[0]!)?.[1]
      if (user) {
        entered.resolve(user)
        await gate.promise
      }
      return run(connection, statements)
    }
    const asked = world.lease(token)
    const user = await entered.promise
    await world.call('POST', 'auth/token/revoke', { token })
    gate.resolve()
    expect((await asked).errors).toHaveLength(1)
    await world.vault.settled()
    expect(world.dropped(user)).toBe(true)
  })

  test('the end of the dev Vault drops the users that are left, once', async () => {
    const world = await setup()
    const { data } = await world.lease()
    await world.vault[Symbol.asyncDispose]()
    await world.vault[Symbol.asyncDispose]()
    expect(world.sql.ran.filter((statement) => statement === `DROP ROLE "${data.username}"`)).toHaveLength(1)
  })

  test('a chain of 300 children ends with its first', async () => {
    await using world = await setup()
    const first = await world.create({ policies: ['root'], ttl: '1h' })
    let token = first
    for (let depth = 0; depth < 300; depth++) {
      const made = await world.call('POST', 'auth/token/create', { policies: ['root'], ttl: '1h' }, token)
      token = made.body.auth.client_token
    }
    await world.call('POST', 'auth/token/revoke', { token: first })
    expect((await world.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(403)
  })
})

test('a static role that its connection allows no more is tried every 10 s, and holds nothing else up', async () => {
  await using world = await setup()
  const { call, clock, sql } = world
  const rotations = () => sql.ran.filter((statement) => statement.startsWith('ALTER ROLE "app"')).length
  await call('POST', 'database/config/db', { allowed_roles: ['r', 's'] })
  const role = { db_name: 'db', username: 'app', rotation_period: '5s' }
  expect((await call('POST', 'database/static-roles/s', role)).status).toBe(204)
  await call('POST', 'database/config/db', { allowed_roles: ['r'] })
  await clock.advance(6000)
  expect((await call('GET', 'sys/health')).status).toBe(200)
  expect(rotations()).toBe(1)
  await call('POST', 'database/config/db', { allowed_roles: ['r', 's'] })
  await clock.advance(10_000)
  expect(rotations()).toBe(2)
})
