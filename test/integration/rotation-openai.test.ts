import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyRefusedError, OpenAiProvider, Rotation, RotationRecord, RotationStore } from '#lib/rotation'
import { silentLog, systemClock } from '#lib/runtime'
import { vaultNames } from '#lib/vault'
import { expect, test } from 'vitest'
import { AcceptedKeys } from '../../services/dev/models/keys.ts'
import { StandIn } from '../../services/dev/models/server.ts'
import { FakeKv } from '../support/fake-kv.ts'

const FIRST = 'sk-the-first-key-of-the-operator'
const ADMIN = 'sk-admin-key'
const PREFIX = 'tb/demo/dev/openai-api-key/'
const signal = new AbortController().signal

async function setup({ adminKey = ADMIN, propagationMs = 0 } = {}) {
  const stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'tb-rotation-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'keys.json')
  writeFileSync(
    file,
    JSON.stringify({ openai: [{ key: FIRST, project: 'proj-demo' }], 'openai-admin': [ADMIN] }),
  )
  const keys = new AcceptedKeys(file)
  const options = { host: '127.0.0.1', port: 0, keys, log: silentLog, propagationMs }
  const standIn = stack.use(await StandIn.open(options))
  const provider = new OpenAiProvider({
    baseUrl: standIn.url,
    project: 'proj-demo',
    adminKey: async () => adminKey,
  })
  const create = (rotation: string) =>
    provider.create({ name: `${PREFIX}${rotation}`, oldKeyId: null, supplied: undefined, signal })
  return { standIn, provider, create, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('makes a key that works, lists it by its name, and ends it with its account', async () => {
  await using world = await setup()
  const { provider } = world
  const key = await world.create('one')
  await provider.verify(key, signal)
  expect(await provider.findOrphans(PREFIX, signal)).toEqual([{ id: key.id, name: `${PREFIX}one` }])
  expect((await provider.lastUsed(key.id, signal)).at).toBeGreaterThan(Date.now() - 10_000)
  await provider.revoke(key.id, signal)
  await expect(provider.verify(key, signal)).rejects.toThrow(KeyRefusedError)
  expect(await provider.findOrphans('tb/', signal)).toEqual([])
  await provider.revoke(key.id, signal)
})

test('ends a key of an account that is not ours without the account', async () => {
  await using world = await setup()
  const { provider } = world
  const id = await provider.identify(FIRST, signal)
  expect(id).toMatch(/^key_/)
  await provider.revoke(id!, signal)
  await expect(provider.verify({ id: id!, value: FIRST }, signal)).rejects.toThrow(KeyRefusedError)
  const url = `${world.standIn.url}/v1/organization/projects/proj-demo/service_accounts`
  const answer = await fetch(url, { headers: { authorization: `Bearer ${ADMIN}` } })
  expect(await answer.json()).toMatchObject({ data: [{ name: 'first' }] })
})

test('finds what is on later pages', async () => {
  await using world = await setup()
  for (let count = 0; count < 105; count++) await world.create(`n${count}`)
  expect(await world.provider.findOrphans(PREFIX, signal)).toHaveLength(105)
})

test('with an admin key that is refused fails, and does not take the rotated key for refused', async () => {
  await using world = await setup({ adminKey: 'sk-admin-wrong' })
  await expect(world.create('one')).rejects.toThrow('admin key: the key of POST')
  await expect(world.create('one')).rejects.not.toThrow(KeyRefusedError)
})

test.each([
  ['a value that is not ours to tell', 'sk-unknown-0123456789'],
  ['nothing', ''],
])('knows the key of %s no more than by guessing', async (_what, value) => {
  await using world = await setup()
  expect(await world.provider.identify(value, signal)).toBeUndefined()
})

test('no error of it holds a key', async () => {
  await using world = await setup({ adminKey: 'sk-admin-wrong-0123456789' })
  const failed = await world.create('one').catch((error: unknown) => error as Error)
  const refused = await world.provider
    .verify({ id: 'x', value: 'sk-secret-0123456789' }, signal)
    .catch((error: unknown) => error as Error)
  for (const error of [failed, refused])
    expect(JSON.stringify([error, (error as Error).stack])).not.toMatch(/0123456789/)
})

test('a whole rotation over HTTP leaves one key, though the first answer was lost and the last end was refused', async () => {
  await using world = await setup({ propagationMs: 1000 })
  world.standIn.faults.push({ method: 'POST', fault: 'hang-after' })
  const kv = new FakeKv()
  const names = vaultNames({ cluster: 'demo', environment: 'dev' })
  kv.entries.set(names.secret('openai-api-key'), [{ value: FIRST }])
  const store = new RotationStore({ vault: kv.as(), names, use: (call) => call('token') })
  const holders = { timeoutsMs: [100], freshMs: 100, staleMs: 100, skewMs: 100 }
  const rotation = new Rotation({
    secret: {
      name: 'openai-api-key',
      keyPrefix: PREFIX,
      every: 'daily',
      holders,
      consumers: [],
      provider: world.provider,
    },
    store,
    announce: async () => {},
    raise: async () => {},
    instance: 'test',
    limits: { callMs: 3000, verifyMs: 10_000, confirmMs: 10_000, backoffMs: 100 },
  })
  const { record, version } = await store.load('openai-api-key')
  await store.save({ ...record, requested: { at: 1, by: 'ann', revokeOld: false } }, version)
  let seen: string | undefined
  for (let until = 0; ;) {
    await systemClock.sleep(Math.max(0, until - Date.now()))
    const tended = await rotation.tend(signal)
    if (tended.state === 'idle') break
    // A timer may be early, and then nothing is due yet.
    const isGrace = tended.state === 'grace' && seen !== 'grace'
    if (isGrace) world.standIn.faults.push({ method: 'DELETE', fault: { status: 500 } })
    seen = tended.state
    until = tended.until
  }
  const ended = RotationRecord.parse(kv.latest(names.rotation('openai-api-key')))
  expect(ended.history.map(({ state }) => state).filter((state) => state === 'failed')).toHaveLength(2)
  const live = String(kv.latest(names.secret('openai-api-key'))!['value'])
  await world.provider.verify({ id: '', value: live }, signal)
  await expect(world.provider.verify({ id: '', value: FIRST }, signal)).rejects.toThrow(KeyRefusedError)
  expect(await world.provider.findOrphans('tb/', signal)).toHaveLength(1)
})
