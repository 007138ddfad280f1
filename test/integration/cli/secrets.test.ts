import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openOperatorWorld, type OperatorWorld } from '../../support/vault-operator.ts'

const VALUE = 'sk-canary-0123456789-abcdefghijklmnopq'
const COMMAND = join(import.meta.dirname, '../../../services/cli/threadbound.mjs')
const kv = 'kv/data/tb/shop/dev'

async function setup(): Promise<OperatorWorld> {
  const world = await openOperatorWorld()
  expect(await world.run('policies', 'apply')).toMatchObject({ code: 0 })
  world.writes()
  return world
}

const valueIn = async ({ root }: OperatorWorld, name: string) =>
  (await root('GET', `${kv}/${name}`)).body?.data?.data?.value as unknown
describe('the commands of the article', () => {
  test('create, list, status and get go as they are written there', async () => {
    await using world = await setup()
    const create = ['secrets', 'create', '--name=openai-api-key', `--value=${VALUE}`, '--provider=openai']
    const created = await world.run(...create)
    expect(created).toMatchObject({ code: 0, stdout: 'openai-api-key: generation 1\n' })
    expect(created.stderr).toContain('history of your shell')
    expect(created.stderr).toContain(
      'sidecars of this cluster are not told: they keep a value for up to 5 m 0 s,',
    )
    expect(await valueIn(world, 'openai-api-key')).toBe(VALUE)
    const list = await world.run('secrets', 'list')
    expect(list.stdout).toMatch(/^openai-api-key +openai +by the broker +1 +\d+ s +coder$/m)
    expect(list.stdout).toMatch(/^anthropic-api-key +anthropic +by the broker +no value +- +writer$/m)
    const status = await world.run('secrets', 'status', '--name=openai-api-key')
    expect(status.stdout).toMatch(/^generation +1$/m)
    expect(status.stdout).toMatch(/^consumers +coder$/m)
    expect(status.stdout).toMatch(/^cache +unknown: no sidecar to ask$/m)
    const got = await world.run('secrets', 'get', '--name=openai-api-key')
    expect(got.stdout).toMatch(/^masked +sk-•{8}pq$/m)
    for (const { stdout, stderr } of [created, list, status, got])
      expect(stdout + stderr).not.toContain(VALUE)
  })

  test('its placeholder value is refused as too short to be told from other text, and taken when forced', async () => {
    await using world = await setup()
    const create = ['secrets', 'create', '--name=openai-api-key', '--value=sk-xxx', '--provider=openai']
    const refused = await world.run(...create)
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('6 characters, expected at least 12')
    expect(await valueIn(world, 'openai-api-key')).toBeUndefined()
    expect(await world.run(...create, '--force')).toMatchObject({ code: 0 })
    expect(await valueIn(world, 'openai-api-key')).toBe('sk-xxx')
  })
})

describe('secrets create', () => {
  const create = ['secrets', 'create', '--name', 'mail-key', '--provider', 'mail']

  test('takes a value from a file and from stdin, without the line end behind it and without a word of shells', async () => {
    await using world = await setup()
    writeFileSync(join(world.folder, 'value'), `${VALUE}1\n`)
    const fromFile = await world.run(...create, '--value-file', 'value')
    expect(fromFile).toMatchObject({ code: 0, stdout: 'mail-key: generation 1\n' })
    expect(fromFile.stderr).not.toContain('shell')
    expect(await valueIn(world, 'mail-key')).toBe(`${VALUE}1`)
    const fromStdin = await world.feed(`${VALUE}2\r\n`, ...create, '--value', '-')
    expect(fromStdin).toMatchObject({ stdout: 'mail-key: generation 2, in place of generation 1\n' })
    expect(await valueIn(world, 'mail-key')).toBe(`${VALUE}2`)
  })

  test.runIf(existsSync('/usr/bin/script'))(
    'asks at a terminal, and shows nothing of what is typed',
    async () => {
      await using world = await setup()
      const line = [process.execPath, COMMAND, ...create, '--cluster', 'threadbound.yaml'].join(' ')
      const terminal = spawn('/usr/bin/script', ['-qec', line, '/dev/null'], {
        cwd: world.folder,
        env: { ...world.env, PATH: process.env['PATH'] },
      })
      let shown = ''
      terminal.stdout.on('data', (chunk: Buffer) => {
        if (
          !shown.includes('value of mail-key: ') &&
          `${shown}${chunk.toString()}`.includes('value of mail-key: ')
        )
          terminal.stdin.write(`${VALUE}\r`)
        shown += chunk.toString()
      })
      await once(terminal, 'close')
      expect(shown).toContain('mail-key: generation 1')
      expect(shown).not.toContain(VALUE.slice(3))
      expect(await valueIn(world, 'mail-key')).toBe(VALUE)
    },
  )

  test.each<[string, string[], string]>([
    [
      'a name that is none',
      ['--name', 'Mail_Key', '--value', VALUE],
      '--name: expected a name of lower-case letters',
    ],
    ['a name that leads elsewhere', ['--name', '../prod/x', '--value', VALUE], '--name: expected a name'],
    ['a name that nobody declares', ['--name', 'mail-kye', '--value', VALUE], 'did you mean "mail-key"?'],
    ['a leased secret', ['--name', 'orders-db', '--value', VALUE], 'makes users with is "orders-db-admin"'],
    [
      'another provider',
      ['--name', 'mail-key', '--provider', 'openai', '--value', VALUE],
      'has provider "mail"',
    ],
    [
      'a provider that is none',
      ['--name', 'mail-key', '--provider', 'M A', '--value', VALUE],
      '--provider: expected a name',
    ],
    ['an empty value', ['--name', 'mail-key', '--value', ''], 'the value is empty'],
    [
      'a short value',
      ['--name', 'mail-key', '--value', 'elevenchars'],
      '11 characters, expected at least 12',
    ],
    ['a value with a space', ['--name', 'mail-key', '--value', 'a value of words'], 'white space'],
    ['a value beyond ASCII', ['--name', 'mail-key', '--value', 'schlüssel-0123456'], 'beyond ASCII'],
    [
      'two values',
      ['--name', 'mail-key', '--value', VALUE, '--value-file', 'x'],
      'either --value or --value-file',
    ],
    ['no value and no terminal', ['--name', 'mail-key'], 'no value: give --value-file'],
    ['a file that is not there', ['--name', 'mail-key', '--value-file', 'nowhere'], '--value-file: ENOENT'],
    ['an admin that is no user:password', ['--name', 'orders-db-admin', '--value', VALUE], '"user:password"'],
    ['no name', ['--value', VALUE], "required option '--name <secret>'"],
  ])('refuses %s, and changes nothing', async (_what, args, why) => {
    await using world = await openOperatorWorld()
    const run = await world.run('secrets', 'create', ...args)
    expect(run.stderr).toContain(why)
    expect([1, 2]).toContain(run.code)
    expect(world.writes()).toEqual([])
  })

  test('says that a Vault without policies needs them first', async () => {
    await using world = await openOperatorWorld()
    const run = await world.feed(VALUE, ...create, '--value', '-')
    expect(run).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('threadbound policies apply') as string,
    })
  })

  test('of an admin secret sets its database up at once, and one that the database refuses changes nothing', async () => {
    await using world = await setup()
    const admin = [
      'secrets',
      'create',
      '--name',
      'orders-db-admin',
      '--provider',
      'postgres-admin',
      '--value',
      '-',
    ]
    world.database.refuses = true
    const refused = await world.feed('owner:wrong-password', ...admin)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(
      'Vault cannot use the database 127.0.0.1:5432/orders as the user in "orders-db-admin"',
    )
    expect(refused.stderr).not.toContain('wrong-password')
    expect(await valueIn(world, 'orders-db-admin')).toBeUndefined()
    world.database.refuses = false
    const run = await world.feed('owner:right-password', ...admin)
    expect(run.stdout).toContain('orders-db: leased as this user from now on')
    expect((await world.root('GET', 'database/creds/tb--shop--dev--db--orders-db')).status).toBe(200)
    expect((await world.run('policies', 'plan')).stdout).toContain('Vault holds what the cluster file says')
  })
})
