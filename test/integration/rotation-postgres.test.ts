import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { KeyRefusedError, PostgresProvider, ProviderFailedError } from '#lib/rotation'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { KEY_PREFIX, rotate } from '../support/rotation/rotate.ts'
import { openScratchPostgres, type ScratchPostgres } from '../support/scratch-postgres.ts'

const PASSWORD = 'set-up-password-0123456789'
const ADMIN = `rotator:${PASSWORD}`
const FIRST = `app_a:${PASSWORD}`
const ROLES = ['app_a', 'app_b'] as const
const signal = new AbortController().signal
let postgres: ScratchPostgres

beforeAll(async () => {
  postgres = await openScratchPostgres()
}, 60_000)
afterAll(() => postgres[Symbol.asyncDispose]())

/** The set-up that README.md asks for. */
beforeEach(async () => {
  for (const role of ['rotator', ...ROLES, 'app_owner']) await postgres.query(`DROP ROLE IF EXISTS ${role}`)
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const sql = /```sql\n(CREATE ROLE app_owner[\s\S]*?)```/.exec(readme)![1]!
  await postgres.query(sql.replaceAll('…', PASSWORD))
})

function setup({ port = postgres.port, host = '127.0.0.1', admin = ADMIN } = {}) {
  const server = { host, port, database: 'postgres' }
  const provider = new PostgresProvider({ server, roles: ROLES, admin: async () => admin })
  return {
    provider,
    create: (oldKeyId: string | null = 'app_a', until = signal) =>
      provider.create({ name: `${KEY_PREFIX}one`, oldKeyId, supplied: undefined, signal: until }),
  }
}

const loginOf = (value: string) => {
  const [user, password] = value.split(':')
  return { user: user!, password: password! }
}

test('gives the idle role a password and login, lists it, and ends it with its open sessions', async () => {
  const { provider, create } = setup()
  const key = await create()
  expect(key.id).toBe('app_b')
  await provider.verify(key, signal)
  expect(await provider.findOrphans(KEY_PREFIX, signal)).toEqual([{ id: 'app_b', name: `${KEY_PREFIX}one` }])
  const session = await postgres.session(loginOf(key.value))
  const gone = new Promise((resolve) => session.once('end', resolve))
  await provider.revoke(key.id, signal)
  await gone
  await expect(provider.verify(key, signal)).rejects.toThrow(KeyRefusedError)
  expect(await provider.findOrphans('tb/', signal)).toEqual([])
  await provider.revoke(key.id, signal)
  await provider.enable(key.id, signal)
  await expect(provider.verify(key, signal)).rejects.toThrow(KeyRefusedError)
  await provider.verify({ id: 'app_a', value: FIRST }, signal)
})

test('a login of either role acts as the role that owns', async () => {
  const { value } = await setup().create()
  for (const login of [FIRST, value])
    expect(await postgres.query('SELECT current_user AS who', loginOf(login))).toEqual([{ who: 'app_owner' }])
})

test('over a unix socket as over TCP', async () => {
  const { provider, create } = setup({ host: postgres.directory })
  await provider.verify(await create(), signal)
})

test('a role that is off keeps its password, and is on again with it', async () => {
  const { provider } = setup()
  const key = { id: 'app_a', value: FIRST }
  await provider.disable(key.id, signal)
  await expect(provider.verify(key, signal)).rejects.toThrow(KeyRefusedError)
  await provider.enable(key.id, signal)
  await provider.verify(key, signal)
})

test('says which session uses a role, and when it last did', async () => {
  const { provider } = setup()
  expect(await provider.lastUsed('app_a', signal)).toEqual({ at: null })
  const session = await postgres.session(loginOf(FIRST))
  await session.query("SET application_name = 'billing'")
  const { at, by } = await provider.lastUsed('app_a', signal)
  expect(by).toBe('billing at a unix socket')
  expect(at).toBeGreaterThan(Date.now() - 10_000)
  await session.end()
})

test('knows whose value it is by its user, and the values of its own two roles alone', async () => {
  const { provider } = setup()
  expect(await provider.identify(FIRST)).toBe('app_a')
  expect(await provider.identify('other:password')).toBeUndefined()
  expect(await provider.identify('no user')).toBeUndefined()
})

describe('which role is idle', () => {
  test('the one that may not log in, where nobody knows which is live', async () => {
    expect((await setup().create(null)).id).toBe('app_b')
  })

  test('none, where both may log in: neither is taken from whoever uses it', async () => {
    await postgres.query("ALTER ROLE app_b LOGIN PASSWORD 'x'")
    await expect(setup().create(null)).rejects.toThrow('expected one of them to be there with NOLOGIN')
    await setup().provider.verify({ id: 'app_a', value: FIRST }, signal)
  })

  test('one that is not there is named by its fault', async () => {
    await postgres.query('DROP ROLE app_b')
    await expect(setup().create()).rejects.toThrow('create: there is no such role')
  })
})

describe('faults', () => {
  test.each([
    ['rotator:wrong-0123456789', 'create: the admin user is refused'],
    ['no user and password 0123456789', 'create: the admin secret is not user:password'],
    [FIRST, 'create: the admin user app_a is one of the roles'],
  ])('admin secret %j: fails without taking the rotated key for refused', async (admin, message) => {
    const error = (await setup({ admin })
      .create()
      .catch((reason: unknown) => reason)) as Error
    expect(error).toBeInstanceOf(ProviderFailedError)
    expect(error.message).toBe(message)
    expect(`${JSON.stringify(error)}${error.stack}`).not.toMatch(/0123456789/)
  })

  test('no password goes over the wire, neither when it is made nor when it is tried', async () => {
    await using proxy = await openProxy()
    const { provider, create } = setup({ port: proxy.port })
    const key = await create()
    await provider.verify(key, signal)
    expect(proxy.sent()).toContain('PASSWORD')
    expect(proxy.sent()).not.toContain(loginOf(key.value).password)
  })

  test('a server that is not there is a failure, and no refusal', async () => {
    const tried = setup({ port: 1 }).provider.verify({ id: 'app_a', value: FIRST }, signal)
    await expect(tried).rejects.toThrow('verify: ECONNREFUSED')
  })

  test('a statement that waits ends at the signal, and changes nothing afterwards', async () => {
    const blocker = await postgres.session({ user: 'admin', password: postgres.password })
    await blocker.query("BEGIN; COMMENT ON ROLE app_b IS 'held'")
    const stop = new AbortController()
    const creating = setup().create('app_a', stop.signal)
    await expect
      .poll(() => postgres.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
      .toHaveLength(1)
    stop.abort(new Error('late'))
    await expect(creating).rejects.toThrow('late')
    await blocker.query('ROLLBACK')
    await blocker.end()
    await expect
      .poll(() => postgres.query("SELECT 1 FROM pg_stat_activity WHERE usename = 'rotator'"))
      .toHaveLength(0)
    const [role] = await postgres.query("SELECT rolcanlogin AS can FROM pg_roles WHERE rolname = 'app_b'")
    expect(role).toEqual({ can: false })
  })
})

test('a whole rotation leaves one role that may log in, though the answer to its commit was lost', async () => {
  await using proxy = await openProxy('COMMIT')
  const { provider } = setup({ port: proxy.port })
  const session = await postgres.session(loginOf(FIRST))
  const gone = new Promise((resolve) => session.once('end', resolve))
  const { live, states, alerts, written, kv } = await rotate({ provider, first: FIRST })
  await gone
  expect(proxy.held()).toBe(1)
  expect(states.filter((state) => state === 'failed')).toHaveLength(1)
  expect(alerts).toContain('orphan-key-found')
  expect(live.id).toBe('app_b')
  await provider.verify(live, signal)
  await expect(provider.verify({ id: 'app_a', value: FIRST }, signal)).rejects.toThrow(KeyRefusedError)
  expect(written).not.toContain(live.value.split(':')[1])
  const back = await rotate({ provider, kv })
  expect(back.live.id).toBe('app_a')
  await provider.verify(back.live, signal)
  await expect(provider.verify(live, signal)).rejects.toThrow(KeyRefusedError)
})

/** A way to Postgres that lets the first statement with `word` pass, and its answer not. */
async function openProxy(word?: string) {
  const sent: Buffer[] = []
  let held = 0
  const server = createServer((client) => {
    const upstream = connect(postgres.port, '127.0.0.1')
    let isHeld = false
    client.on('data', (data: Buffer) => {
      if (word && held === 0 && data.includes(word)) {
        held++
        isHeld = true
      }
      sent.push(data)
      upstream.write(data)
    })
    upstream.on('data', (data) => isHeld || client.write(data))
    client.on('error', () => {}).on('close', () => upstream.destroy())
    upstream.on('error', () => {}).on('close', () => client.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    held: () => held,
    sent: () => Buffer.concat(sent).toString('latin1'),
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}
