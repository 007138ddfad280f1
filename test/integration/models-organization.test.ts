import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '#lib/runtime'
import { expect, test } from 'vitest'
import { AcceptedKeys } from '../../services/dev/models/keys.ts'
import { StandIn } from '../../services/dev/models/server.ts'
import { TurnedClock } from '../support/turned-clock.ts'

const PROJECT = '/v1/organization/projects/proj-demo'
const NOW = 1_800_000_000

async function setup(options: { propagationMs?: number } = {}) {
  const stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'tb-organization-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'keys.json')
  const begin = (key: string) =>
    writeFileSync(
      file,
      JSON.stringify({ openai: [{ key, project: 'proj-demo' }], 'openai-admin': ['sk-admin-key'] }),
    )
  begin('sk-the-first-key')
  const clock = new TurnedClock(NOW * 1000)
  const open = async () =>
    StandIn.open({
      host: '127.0.0.1',
      port: 0,
      keys: new AcceptedKeys(file),
      stateFile: join(folder, 'state.json'),
      log: silentLog,
      clock,
      ...options,
    })
  const world = { standIn: await open(), clock, begin, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  stack.defer(() => world.standIn[Symbol.asyncDispose]())
  const restart = async () => {
    await world.standIn[Symbol.asyncDispose]()
    world.standIn = await open()
  }
  const admin = async (method: string, path: string, body?: object, key = 'sk-admin-key') => {
    const init = { method, headers: { authorization: `Bearer ${key}` } }
    const sent = body === undefined ? init : { ...init, body: JSON.stringify(body) }
    const answer = await fetch(`${world.standIn.url}${PROJECT}${path}`, sent)
    return { status: answer.status, body: (await answer.json()) as Record<string, any> }
  }
  const chat = async (key: string) =>
    (
      await fetch(`${world.standIn.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify({ model: 'gpt-x', messages: [{ role: 'user', content: 'hi' }] }),
      })
    ).status
  const keys = async () => (await admin('GET', '/api_keys')).body['data'] as Record<string, any>[]
  const make = async (body: object = { name: 'tb/demo/a' }) =>
    (await admin('POST', '/service_accounts', body)).body
  return Object.assign(world, { restart, admin, chat, keys, make })
}

test('a service account comes with a key that works until the key is deleted', async () => {
  await using world = await setup()
  const { api_key: key, ...account } = await world.make()
  expect(account).toMatchObject({ object: 'organization.project.service_account', name: 'tb/demo/a' })
  expect(await world.chat(key.value)).toBe(200)
  expect(await world.admin('DELETE', `/api_keys/${key.id}`)).toEqual({
    status: 200,
    body: { object: 'organization.project.api_key.deleted', id: key.id, deleted: true },
  })
  expect(await world.chat(key.value)).toBe(401)
  expect((await world.admin('DELETE', `/api_keys/${key.id}`)).status).toBe(404)
  expect((await world.admin('GET', `/service_accounts/${account.id}`)).status).toBe(200)
})

test('one account may have two keys, and loses both with its end', async () => {
  await using world = await setup()
  const { id, api_key: first } = await world.make()
  const second = (await world.admin('POST', `/service_accounts/${id}/api_keys`, { name: 'b' })).body
  expect([await world.chat(first.value), await world.chat(second['value'])]).toEqual([200, 200])
  expect((await world.admin('DELETE', `/service_accounts/${id}`)).status).toBe(200)
  expect([await world.chat(first.value), await world.chat(second['value'])]).toEqual([401, 401])
  expect(await world.chat('sk-the-first-key')).toBe(200)
})

test('the list says when each key was used last, and shows no value', async () => {
  await using world = await setup()
  const { api_key: made } = await world.make()
  await world.clock.advance(5000)
  await world.chat(made.value)
  const listed = await world.keys()
  expect(listed.map(({ id, last_used_at }) => [id === made.id, last_used_at])).toEqual([
    [false, null],
    [true, NOW + 5],
  ])
  expect(listed[1]).toMatchObject({ redacted_value: expect.stringMatching(/^sk-svcac\.\.\..{4}$/) })
  expect(listed[1]!['owner'].service_account.name).toBe('tb/demo/a')
  expect(JSON.stringify(listed)).not.toContain(made.value)
})

test('a list is given in pages', async () => {
  await using world = await setup()
  for (const name of ['a', 'b', 'c']) await world.make({ name })
  const first = (await world.admin('GET', '/api_keys?limit=3')).body
  expect([first['data'].length, first['has_more']]).toEqual([3, true])
  const rest = (await world.admin('GET', `/api_keys?limit=3&after=${first['last_id']}`)).body
  expect([rest['data'].length, rest['has_more']]).toEqual([1, false])
})

test('a key ends when it expires', async () => {
  await using world = await setup()
  const { api_key: key } = await world.make({ name: 'short', expires_in_seconds: 60 })
  expect(key.expires_at).toBe(NOW + 60)
  expect(await world.chat(key.value)).toBe(200)
  await world.clock.advance(60_000)
  expect(await world.chat(key.value)).toBe(401)
  expect(await world.keys()).toHaveLength(1)
})

test('only an admin key administers, and it uses no model', async () => {
  await using world = await setup()
  expect((await world.admin('GET', '/api_keys', undefined, 'sk-the-first-key')).status).toBe(403)
  expect((await world.admin('POST', '/service_accounts', { name: 'x' }, 'wrong')).status).toBe(401)
  expect(await world.chat('sk-admin-key')).toBe(401)
  expect(await world.keys()).toHaveLength(1)
})

test('what is malformed is refused by its field and makes nothing', async () => {
  await using world = await setup()
  const { status, body } = await world.admin('POST', '/service_accounts', {
    name: 'x',
    expires_in_seconds: 0,
  })
  expect([status, body['error'].message]).toEqual([400, expect.stringContaining("'expires_in_seconds'")])
  expect((await world.admin('POST', '/service_accounts/none/api_keys', {})).status).toBe(404)
  expect((await world.admin('PATCH', '/api_keys', {})).status).toBe(404)
  expect(await world.keys()).toHaveLength(1)
})

test('keys and their ends outlive the stand-in, until it is given other keys to begin with', async () => {
  await using world = await setup()
  const { api_key: made } = await world.make()
  const first = (await world.keys())[0]!
  await world.admin('DELETE', `/api_keys/${first['id']}`)
  await world.restart()
  expect([await world.chat(made.value), await world.chat('sk-the-first-key')]).toEqual([200, 401])
  world.begin('sk-another-first-key')
  expect([await world.chat(made.value), await world.chat('sk-another-first-key')]).toEqual([401, 200])
})

test('a new key is refused until it is known everywhere', async () => {
  await using world = await setup({ propagationMs: 30_000 })
  const { api_key: key } = await world.make()
  expect([await world.chat(key.value), await world.chat('sk-the-first-key')]).toEqual([401, 200])
  await world.clock.advance(30_000)
  expect(await world.chat(key.value)).toBe(200)
})

test('a call can be made to fail, to hang, and to hang after its effect', async () => {
  await using world = await setup()
  world.standIn.faults.push(
    { method: 'POST', fault: { status: 503 } },
    { method: 'POST', fault: 'hang-after' },
    { method: 'POST', fault: 'hang' },
  )
  expect((await world.admin('POST', '/service_accounts', { name: 'failed' })).status).toBe(503)
  const unanswered = (name: string) =>
    fetch(`${world.standIn.url}${PROJECT}/service_accounts`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-admin-key' },
      body: JSON.stringify({ name }),
      signal: AbortSignal.timeout(1000),
    })
  await expect(unanswered('made all the same')).rejects.toThrow(/timeout/)
  await expect(unanswered('not made')).rejects.toThrow(/timeout/)
  const names = (await world.admin('GET', '/service_accounts')).body['data'].map(
    ({ name }: { name: string }) => name,
  )
  expect(names).toEqual(['first', 'made all the same'])
})
