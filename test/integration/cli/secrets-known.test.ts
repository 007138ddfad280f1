import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { AuditLog } from '#lib/audit'
import { type NotedHead, noteHead, openRedis, serviceKeys } from '#lib/queue'
import { startRedis } from '../../support/queue-redis.ts'
import { openOperatorWorld, type OperatorWorld } from '../../support/vault-operator.ts'

const VALUE = 'sk-canary-0123456789-abcdefghijklmnopq'
const kv = 'kv/data/tb/shop/dev'

async function setup(): Promise<OperatorWorld> {
  const world = await openOperatorWorld()
  expect(await world.run('policies', 'apply')).toMatchObject({ code: 0 })
  return world
}

/** The hash of a log's first line, as the second has it. */
const firstOf = (file: string): string => JSON.parse(readFileSync(file, 'utf8').split('\n')[1]!).prev

/** Leaves two lines of a log. */
const cut = (file: string) =>
  writeFileSync(file, readFileSync(file, 'utf8').split('\n').slice(0, 2).join('\n').concat('\n'))

const jsonOf = ({ stdout }: { stdout: string }): any => JSON.parse(stdout)

describe('secrets get --reveal', () => {
  const get = ['secrets', 'get', '--name', 'mail-key', '--reveal']

  test('prints the value alone, after it was put on record', async () => {
    await using world = await setup()
    await world.root('POST', `${kv}/mail-key`, { data: { value: VALUE } })
    const run = await world.run(...get, '--audit-file', 'reveals.log')
    expect(run).toEqual({ code: 0, stdout: `${VALUE}\n`, stderr: '' })
    const log = readFileSync(join(world.folder, 'reveals.log'), 'utf8')
    expect(JSON.parse(log)).toMatchObject({ action: 'reveal', secret: 'mail-key', generation: 1, seq: 1 })
    expect(log).not.toContain(VALUE)
    await world.run(...get, '--audit-file', 'reveals.log')
    const audit = jsonOf(
      await world.run('secrets', 'audit', '--audit-file', 'reveals.log', '--verify', '--json'),
    )
    expect(audit).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }], verdict: { ok: true, lines: 2 } })
  })

  test('prints nothing when it cannot be put on record, or there is nowhere to', async () => {
    await using world = await setup()
    await world.root('POST', `${kv}/mail-key`, { data: { value: VALUE } })
    const nowhere = await world.run(...get)
    expect(nowhere).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('--audit-file') as string,
    })
    const full = await world.run(...get, '--audit-file', '/dev/full')
    expect(full).toMatchObject({ code: 1, stdout: '' })
    expect(full.stderr).toContain('what cannot be put on record is not shown')
  })
})

test('secrets get says that an entry without a value has none, and does not show "undefined" for one', async () => {
  await using world = await setup()
  await world.root('POST', `${kv}/mail-key`, { data: { password: VALUE } })
  const run = await world.run('secrets', 'get', '--name', 'mail-key')
  expect(run).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('secret "mail-key" in Vault: field "value" is no text') as string,
  })
  expect(run.stderr).not.toContain(VALUE)
})

describe('secrets delete', () => {
  test('takes every generation away, and a later value is newer than any before', async () => {
    await using world = await setup()
    for (const number of [1, 2])
      await world.root('POST', `${kv}/mail-key`, { data: { value: `${VALUE}${number}` } })
    const run = await world.run('secrets', 'delete', '--name', 'mail-key')
    expect(run.code).toBe(0)
    expect(run.stdout).toContain('requests of writer that need it fail with secret-not-found')
    for (const version of [1, 2])
      expect((await world.root('GET', `${kv}/mail-key?version=${version}`)).status).toBe(404)
    expect((await world.run('secrets', 'list')).stdout).toMatch(/^mail-key .* 2, deleted /m)
    const again = await world.run('secrets', 'delete', '--name', 'mail-key')
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('has no value') as string })
    const created = await world.feed(VALUE, 'secrets', 'create', '--name', 'mail-key', '--value', '-')
    expect(created.stdout).toBe('mail-key: generation 3\n')
    await world.run('secrets', 'delete', '--name', 'mail-key', '--destroy')
    await world.root('POST', 'kv/undelete/tb/shop/dev/mail-key', { versions: [1, 2, 3] })
    for (const version of [1, 2, 3])
      expect((await world.root('GET', `${kv}/mail-key?version=${version}`)).status).toBe(404)
  })
})

describe('secrets list and status', () => {
  test('tell of a secret that no cluster file declares, and never a value, as JSON too', async () => {
    await using world = await setup()
    for (const name of ['mail-key', 'forgotten'])
      await world.root('POST', `${kv}/${name}`, { data: { value: VALUE } })
    const list = await world.run('secrets', 'list', '--json')
    expect(jsonOf(list)).toContainEqual(
      expect.objectContaining({ name: 'forgotten', kind: 'not in the cluster file', consumers: [] }),
    )
    expect(jsonOf(list)).toContainEqual(
      expect.objectContaining({ name: 'mail-key', generation: 1, isPresent: true, consumers: ['writer'] }),
    )
    const status = await world.run('secrets', 'status')
    expect(list.stdout + status.stdout).not.toContain(VALUE)
    expect(status.stdout.match(/^name /gm)).toHaveLength(6)
  })

  test('pass over what others keep in the folder under a name that no secret can have', async () => {
    await using world = await setup()
    for (const name of ['mail-key', 'Mail_Key', 'a--b'])
      await world.root('POST', `${kv}/${name}`, { data: { value: VALUE } })
    const list = await world.run('secrets', 'list', '--json')
    expect(list).toMatchObject({ code: 0, stderr: '' })
    expect(jsonOf(list)).toContainEqual(expect.objectContaining({ name: 'mail-key', generation: 1 }))
  })

  test('count the leases that are open', async () => {
    await using world = await setup()
    await world.feed('owner:password-of-it', 'secrets', 'create', '--name', 'orders-db-admin', '--value', '-')
    for (let number = 0; number < 3; number++)
      await world.root('GET', 'database/creds/tb--shop--dev--db--orders-db')
    const status = await world.run('secrets', 'status', '--name', 'orders-db', '--json')
    expect(jsonOf(status)).toMatchObject({
      name: 'orders-db',
      kind: 'leased',
      leases: 3,
      consumers: ['coder'],
    })
  })

  test('refresh says that it needs a running cluster', async () => {
    await using world = await setup()
    const run = await world.run('secrets', 'refresh', '--name', 'mail-key')
    expect(run).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('refresh speaks to a sidecar') as string,
    })
  })
})

describe('secrets audit', () => {
  const lines = [
    { action: 'read', outcome: 'allowed', secret: 'a', agentType: 'x', traceId: 'f'.repeat(32) },
    { action: 'read', outcome: 'allowed', secret: 'b', agentType: 'x' },
    { action: 'deny', outcome: 'denied', secret: 'a', agentType: 'y', reason: 'secret-denied' },
  ]

  async function logged() {
    const world = await openOperatorWorld()
    const file = join(world.folder, 'audit.log')
    await using log = await AuditLog.open({ file })
    for (const event of lines) await log.record(event as Parameters<typeof log.record>[0])
    const audit = ['secrets', 'audit', '--data', world.folder, '--json']
    return {
      file,
      env: world.env,
      run: (...args: string[]) => world.run(...audit, ...args),
      /** A Redis that the command is told of, and how to note a head in it. */
      withRedis: async () => {
        const redis = await startRedis()
        const { socket: TB_REDIS_SOCKET, passwordFile: TB_REDIS_PASSWORD_FILE } = redis.config
        Object.assign(world.env, { TB_REDIS_SOCKET, TB_REDIS_PASSWORD_FILE })
        return {
          redis,
          note: async (head: NotedHead) => {
            const connection = await openRedis(redis.config, 'reader')
            await noteHead(connection, serviceKeys({ cluster: 'shop', environment: 'dev' }, 'sidecar'), head)
            connection.disconnect()
          },
          [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
        }
      },
      note: async (head: object) => {
        await world.root('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
        await world.root('POST', 'kv/data/tb/shop/dev--audit/sidecar', { data: head })
      },
      [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    }
  }

  test.each<[string[], number[]]>([
    [[], [1, 2, 3]],
    [
      ['--period', '24h'],
      [1, 2, 3],
    ],
    [
      ['--secret', 'a'],
      [1, 3],
    ],
    [['--agent', 'y'], [3]],
    [['--trace', 'f'.repeat(32)], [1]],
    [['--secret', 'a', '--agent', 'x'], [1]],
    [['--period', '0s'], []],
  ])('%j shows lines %j', async (args, wanted) => {
    await using world = await logged()
    const { events } = jsonOf(await world.run(...args))
    expect(events.map(({ seq }: { seq: number }) => seq)).toEqual(wanted)
  })

  test('--verify passes an unbroken chain and fails for a changed line, by its number', async () => {
    await using world = await logged()
    expect(await world.run('--verify')).toMatchObject({ code: 0 })
    writeFileSync(world.file, readFileSync(world.file, 'utf8').replace('"secret":"b"', '"secret":"c"'))
    const broken = await world.run('--verify')
    expect(broken.code).toBe(1)
    expect(broken.stderr).toContain('line 3: it does not follow the line before it')
  })

  describe('--verify compares the end of the log with what the sidecar has noted', () => {
    test('in Vault and in Redis: says with which, and fails when either knows of more', async () => {
      await using world = await logged()
      await using noted = await world.withRedis()
      const hash = jsonOf(await world.run('--verify')).verdict.head as string
      await world.note({ seq: 2, hash: 'of another log' })
      await noted.note({ seq: 3, hash })
      expect((await world.run('--verify')).stderr).toContain('not the line that Vault has noted')
      await world.note({ seq: 3, hash })
      const whole = await world.run('--verify')
      expect(whole).toMatchObject({ code: 0, stderr: '' })
      expect(jsonOf(whole).verdict.noted).toMatchObject([{ place: 'Vault', seq: 3 }, { place: 'Redis' }])
      cut(world.file)
      expect((await world.run('--verify')).stderr).toContain(
        'Vault has noted 3 lines, Redis has noted 3 lines',
      )
      await world.note({ seq: 1, hash: firstOf(world.file) })
      expect(await world.run('--verify')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('it is missing: Redis has noted 3 lines') as string,
      })
    })

    test('names each place that cannot be asked, and still fails by the other', async () => {
      await using world = await logged()
      await using noted = await world.withRedis()
      const nothing = await world.run('--verify')
      expect(nothing).toMatchObject({
        code: 0,
        stderr: expect.stringContaining('a cut end would not be seen'),
      })
      expect(jsonOf(nothing).verdict.silent).toEqual([
        { place: 'Vault', why: 'nothing is noted there' },
        { place: 'Redis', why: 'nothing is noted there' },
      ])
      const hash = jsonOf(nothing).verdict.head as string
      await world.note({ seq: 3, hash })
      await noted.redis.kill()
      cut(world.file)
      const withoutRedis = await world.run('--verify')
      expect(withoutRedis).toMatchObject({ code: 1, stderr: expect.stringContaining('compared with Redis') })
      expect(withoutRedis.stderr).toContain('Vault has noted 3 lines')
      await noted.redis.start()
      await noted.note({ seq: 3, hash })
      world.env['VAULT_ADDR'] = 'http://127.0.0.1:1'
      const withoutVault = await world.run('--verify')
      expect(withoutVault).toMatchObject({ code: 1, stderr: expect.stringContaining('compared with Vault') })
      expect(withoutVault.stderr).toContain('Redis has noted 3 lines')
    })
  })

  test('a wrong period and a missing log are said', async () => {
    await using world = await logged()
    expect(await world.run('--period', 'soon')).toMatchObject({ code: 2 })
    expect(await world.run('--audit-file', 'nowhere')).toMatchObject({ code: 1 })
  })
})
