import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { commandProvider, KeyRefusedError, type OptionalCall, ProviderFailedError } from '#lib/rotation'
import { describe, expect, test } from 'vitest'
import { KEY_PREFIX, rotate } from '../support/rotation/rotate.ts'

const ADMIN = 'admin-secret-0123456789'
const FIRST = 'first-value-0123456789'
const isRoot = process.getuid?.() === 0
/** Nobody else's. */
const USER = { uid: 61_234, gid: 61_234 }
const signal = new AbortController().signal

function setup({ also = ['disable', 'last-used', 'identify'] as OptionalCall[] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'tb-command-'))
  const here = (name: string) => join(folder, name)
  const script = readFileSync(join(import.meta.dirname, '../support/rotation/keys-command.mjs'), 'utf8')
  writeFileSync(here('keys.mjs'), `#!${process.execPath}\n${script}`, { mode: 0o755 })
  const first = { id: 'key-1', name: 'by hand', value: FIRST, used: null, on: true }
  writeFileSync(here('keys.json'), JSON.stringify([first]))
  if (isRoot) for (const name of ['.', 'keys.json']) chownSync(here(name), USER.uid, USER.gid)
  const user = isRoot ? USER : undefined
  const provider = commandProvider({ file: here('keys.mjs'), user, also, admin: async () => ADMIN })
  const json = (name: string) => JSON.parse(readFileSync(here(name), 'utf8'))
  return {
    provider,
    here,
    json,
    create: (rotation: string, until = signal) =>
      provider.create({
        name: `${KEY_PREFIX}${rotation}`,
        oldKeyId: 'key-1',
        supplied: undefined,
        signal: until,
      }),
    fail: (call: string, fault: string) => writeFileSync(here('fault'), `${call} ${fault}`),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('makes a key, tries it, says when it was used, lists it, turns it off and on, and ends it', async () => {
  using world = setup()
  const { provider } = world
  const key = await world.create('one')
  expect((await provider.lastUsed!(key.id, signal)).at).toBeNull()
  await provider.verify(key, signal)
  expect((await provider.lastUsed!(key.id, signal)).at).toBeGreaterThan(Date.now() - 10_000)
  expect(await provider.identify!(key.value, signal)).toBe(key.id)
  expect(await provider.findOrphans(KEY_PREFIX, signal)).toEqual([{ id: key.id, name: `${KEY_PREFIX}one` }])
  await provider.disable!(key.id, signal)
  await expect(provider.verify(key, signal)).rejects.toThrow(KeyRefusedError)
  await provider.enable!(key.id, signal)
  await provider.verify(key, signal)
  await provider.revoke(key.id, signal)
  await expect(provider.verify(key, signal)).rejects.toThrow(KeyRefusedError)
})

test('is asked for nothing that it does not say it answers', () => {
  using world = setup({ also: [] })
  for (const call of ['lastUsed', 'disable', 'enable', 'identify'])
    expect(world.provider).not.toHaveProperty(call)
})

describe('what the command is given (I7 silent)', () => {
  test('values come on stdin alone: no argument, no environment', async () => {
    using world = setup()
    await world.provider.verify({ id: 'key-1', value: FIRST }, signal)
    const { asked, argv, env } = world.json('seen.json')
    expect(asked).toEqual({ call: 'verify', id: 'key-1', value: FIRST, admin: ADMIN })
    expect(argv).toEqual([])
    expect(env).toEqual({})
  })

  test.runIf(isRoot)('it runs as its own user, in no other group, and never as root', async () => {
    using world = setup()
    await world.create('one')
    expect(world.json('seen.json')).toMatchObject({ uid: USER.uid, groups: [USER.gid] })
    const file = world.here('keys.mjs')
    expect(() => commandProvider({ file })).toThrow('a user of its own')
    expect(() => commandProvider({ file, user: { uid: 0, gid: 0 } })).toThrow('a user of its own')
  })
})

describe('a command that goes wrong', () => {
  test.each([
    ['exit-3', 'verify: the command ended with exit code 3'],
    ['flood', 'verify: the command answers more than 65536 bytes'],
    ['garbage', "verify: the command's answer is unexpected at its root"],
    ['says-value', "verify: the command's answer is unexpected at error"],
    ['says-word', 'verify: the command answers "no-such-project"'],
  ])('%s: fails, and no value is in the error', async (fault, message) => {
    using world = setup()
    world.fail('verify', fault)
    const tried = world.provider.verify({ id: 'key-1', value: FIRST }, signal)
    const error = (await tried.catch((reason: unknown) => reason)) as Error
    expect(error).toBeInstanceOf(ProviderFailedError)
    expect(error.message).toBe(message)
    expect(`${JSON.stringify(error)}${error.stack}`).not.toMatch(/0123456789/)
  })

  test('one that is not there is named by its fault', async () => {
    using world = setup()
    rmSync(world.here('keys.mjs'))
    await expect(world.create('one')).rejects.toThrow('create: the command cannot be run: ENOENT')
  })

  test('one that hangs is killed at the signal, with what it has started, and what it made is found', async () => {
    using world = setup()
    world.fail('create', 'hang-after')
    const stop = new AbortController()
    const started = untilWritten(world.here('.'), 'child')
    const creating = world.create('one', stop.signal)
    await started
    stop.abort(new Error('late'))
    await expect(creating).rejects.toThrow('late')
    await expect.poll(() => isAlive(Number(readFileSync(world.here('child'), 'utf8')))).toBe(false)
    expect(await world.provider.findOrphans(KEY_PREFIX, signal)).toHaveLength(1)
  })

  test('one that leaves a child behind, which holds its output, is over with its own end', async () => {
    using world = setup()
    world.fail('verify', 'leaves-child')
    await world.provider.verify({ id: 'key-1', value: FIRST }, signal)
    await expect.poll(() => isAlive(Number(readFileSync(world.here('child'), 'utf8')))).toBe(false)
  })
})

test('a whole rotation leaves one key, though the first answer was lost and the last end was refused', async () => {
  using world = setup()
  world.fail('create', 'hang-after')
  const { live, states, alerts, written } = await rotate({
    provider: world.provider,
    first: FIRST,
    callMs: 5000,
    onState: (state) => {
      if (state === 'disabled') world.fail('revoke', 'exit-3')
    },
  })
  expect(states.filter((state) => state === 'failed')).toHaveLength(2)
  expect(states).toContain('disabled')
  expect(alerts).toContain('orphan-key-found')
  expect(world.json('keys.json')).toMatchObject([{ id: live.id, value: live.value, on: true }])
  await expect(world.provider.verify({ id: 'key-1', value: FIRST }, signal)).rejects.toThrow(KeyRefusedError)
  expect(written).not.toContain(live.value)
})

/** Resolves when the file is there with something in it. */
async function untilWritten(folder: string, name: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const file = join(folder, name)
  const watcher = watch(folder, () => {
    if (existsSync(file) && readFileSync(file).length > 0) resolve()
  })
  await promise
  watcher.close()
}

test("README's example does what the contract says, against a service with such an API", async () => {
  using world = setup()
  await using service = await openKeysService()
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const example = /```js\n#!.*\n(\/\/ rotate: [\s\S]*?)```/.exec(readme)![1]!
  const script = `#!${process.execPath}\n${example.replace('https://keys.example.com', service.url)}`
  writeFileSync(world.here('keys.mjs'), script)
  const { provider } = world
  const key = await world.create('one')
  await provider.verify(key, signal)
  expect(await provider.findOrphans(KEY_PREFIX, signal)).toEqual([{ id: key.id, name: `${KEY_PREFIX}one` }])
  await provider.revoke(key.id, signal)
  await expect(provider.verify(key, signal)).rejects.toThrow(KeyRefusedError)
})

/** A service with `POST`, `GET` and `DELETE /keys` for who administers it, and `GET /me` for who has a key. */
async function openKeysService() {
  const keys = new Map<string, { id: string; name: string; value: string }>()
  const answerTo = async (request: IncomingMessage): Promise<object | undefined> => {
    const given = request.headers.authorization?.replace('Bearer ', '')
    const [, shelf, id] = request.url!.split('/')
    if (shelf === 'me') return keys.values().find(({ value }) => value === given)
    if (given !== ADMIN) return undefined
    if (request.method === 'DELETE') return { gone: keys.delete(id!) }
    if (request.method === 'GET') return [...keys.values()].map((key) => ({ id: key.id, name: key.name }))
    const { name } = (await json(request)) as { name: string }
    const key = { id: `k${keys.size}`, name, value: `value-${keys.size}` }
    keys.set(key.id, key)
    return key
  }
  const server = createServer((request, response) => {
    void answerTo(request).then((answer) =>
      response.writeHead(answer ? 200 : 401).end(JSON.stringify(answer ?? {})),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}
