import { AnthropicProvider, KeyAwaitedError, KeyRefusedError, ProviderFailedError } from '#lib/rotation'
import { describe, expect, test } from 'vitest'
import { AnthropicApi } from '../support/rotation/anthropic-api.ts'
import { rotate } from '../support/rotation/rotate.ts'

const ADMIN = 'sk-ant-admin01-0123456789'
const FIRST = 'sk-ant-api03-aaaaaaaaaaaa-0123456789-AAAA'
const SECOND = 'sk-ant-api03-bbbbbbbbbbbb-0123456789-BBBB'
const signal = new AbortController().signal

async function setup({ adminKey = ADMIN }: { adminKey?: string | null } = {}) {
  const api = await AnthropicApi.open(ADMIN)
  const first = api.add(FIRST)
  const options = {
    baseUrl: api.url,
    secret: 'anthropic-api-key',
    adminKey: adminKey === null ? undefined : async () => adminKey,
  }
  const provider = new AnthropicProvider(options)
  const create = (value?: string, oldKeyId: string | null = first.id) => {
    const supplied = value === undefined ? undefined : { id: 'supplied-0123', value }
    return provider.create({ name: 'tb/demo/dev/anthropic-api-key/one', oldKeyId, supplied, signal })
  }
  return { api, first, provider, create, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() }
}

test('takes the key that was supplied, by its id at Anthropic', async () => {
  await using world = await setup()
  const { id } = world.api.add(SECOND)
  expect(await world.create(SECOND)).toEqual({ id, value: SECOND })
})

test('without one it is awaited, by the name of the secret', async () => {
  await using world = await setup()
  await expect(world.create()).rejects.toThrow(KeyAwaitedError)
  await expect(world.create()).rejects.toThrow('"anthropic-api-key"')
})

describe('a supplied key that would have another one ended is refused', () => {
  test('one that nobody knows', async () => {
    await using world = await setup()
    await expect(world.create(SECOND)).rejects.toThrow('no one key of the organization has the hint')
  })

  test('one whose hint is of two keys', async () => {
    await using world = await setup()
    world.api.add(SECOND)
    world.api.add(SECOND.replace('0123456789', '9876543210'))
    await expect(world.create(SECOND)).rejects.toThrow('no one key of the organization has the hint')
  })

  test('the one that is live', async () => {
    await using world = await setup()
    await expect(world.create(FIRST)).rejects.toThrow('is the one that is live')
  })
})

test('turns a key off and on, and archives it for good, each twice without harm', async () => {
  await using world = await setup()
  const { first, provider } = world
  const key = { id: first.id, value: FIRST }
  const isAccepted = () => provider.verify(key, signal).then(() => true)
  for (const _time of [1, 2]) await provider.disable(first.id, signal)
  await expect(isAccepted()).rejects.toThrow(KeyRefusedError)
  for (const _time of [1, 2]) await provider.enable(first.id, signal)
  expect(await isAccepted()).toBe(true)
  for (const _time of [1, 2]) await provider.revoke(first.id, signal)
  expect(first.status).toBe('archived')
  await expect(isAccepted()).rejects.toThrow(KeyRefusedError)
  await provider.revoke('apikey_unknown', signal)
})

test('finds what is on later pages', async () => {
  await using world = await setup()
  for (let count = 0; count < 150; count++) world.api.add(`sk-ant-api03-${String(count).padStart(20, 'x')}`)
  const { id } = world.api.add(SECOND)
  expect(await world.provider.identify(SECOND, signal)).toBe(id)
})

describe('faults', () => {
  test('a refused admin key fails the call, and is not taken for a refusal of the rotated key', async () => {
    await using world = await setup({ adminKey: 'sk-ant-admin01-wrong-0123456789' })
    const error = (await world.create(SECOND).catch((reason: unknown) => reason)) as Error
    expect(error).toBeInstanceOf(ProviderFailedError)
    expect(error.message).toBe('admin key: the key of GET /v1/organizations/api_keys (HTTP 401) is refused')
  })

  test('no error holds a key, though Anthropic repeats it', async () => {
    await using world = await setup()
    const tried = world.provider.verify({ id: 'x', value: SECOND }, signal)
    const error = (await tried.catch((reason: unknown) => reason)) as Error
    expect(error).toBeInstanceOf(KeyRefusedError)
    expect(`${JSON.stringify(error)}${error.stack}`).not.toContain('0123456789')
  })

  test('a call that hangs is cut at the signal', async () => {
    await using world = await setup()
    world.api.faults.push({ method: 'POST', fault: 'hang' })
    const cut = world.provider.revoke(world.first.id, AbortSignal.timeout(200))
    await expect(cut).rejects.toThrow(ProviderFailedError)
    expect(world.first.status).toBe('active')
  })
})

test('a whole rotation makes the supplied key live and archives the old one, though an end was refused and another lost', async () => {
  await using world = await setup()
  const { api, first, provider } = world
  const { id } = api.add(SECOND)
  const { live, states, pending, written } = await rotate({
    provider,
    first: FIRST,
    supplied: { id: 'supplied-0123', value: SECOND },
    onState: (state) => {
      if (state === 'grace') api.faults.push({ method: 'POST', fault: 500 })
      if (state === 'disabled') api.faults.push({ method: 'POST', fault: 'hang-after' })
    },
  })
  expect(states.filter((state) => state === 'failed')).toHaveLength(2)
  expect(states).toContain('disabled')
  expect(live).toEqual({ id, value: SECOND })
  expect(first.status).toBe('archived')
  expect(pending).toBeUndefined()
  expect(written).not.toContain(SECOND)
})

test('without an admin key the supplied key is tried and made live, and the old one is left to the operator', async () => {
  await using world = await setup({ adminKey: null })
  world.api.add(SECOND)
  const { live, states } = await rotate({
    provider: world.provider,
    first: FIRST,
    supplied: { id: 'supplied-0123', value: SECOND },
  })
  expect(live).toEqual({ id: 'supplied-0123', value: SECOND })
  expect(states).toContain('verified')
  expect(states).not.toContain('grace')
  expect(world.first.status).toBe('active')
})
