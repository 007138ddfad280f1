import { AppRoleProvider, KeyRefusedError, ProviderFailedError } from '#lib/rotation'
import { planPolicies, VaultClient } from '#lib/vault'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FaultyVault } from '../support/faulty-vault.ts'
import { KEY_PREFIX, rotate } from '../support/rotation/rotate.ts'
import { openVaultTarget, tokenWith, type VaultTarget } from '../support/vault-target.ts'

const signal = new AbortController().signal
let target: VaultTarget

beforeAll(async () => {
  target = await openVaultTarget()
  await target.root('POST', 'sys/auth/approle', { type: 'approle' })
})
afterAll(() => target[Symbol.asyncDispose]())

/** An AppRole with one secret-id, and a rotator with the policy that is planned for it. */
async function setup(settings: object = {}) {
  const stack = new AsyncDisposableStack()
  const role = target.unique('app')
  const at = `auth/approle/role/${role}`
  await target.root('POST', at, { token_policies: ['default'], token_ttl: '5m', ...settings })
  const { role_id } = (await target.root('GET', `${at}/role-id`)).body.data
  const first: string = (await target.root('POST', `${at}/secret-id`, {})).body.data.secret_id
  const scope = { cluster: 'demo', environment: 'dev', agentTypes: [], databases: [] }
  const { policies, names } = planPolicies({ ...scope, rotated: [{ secret: 'login', appRole: role }] })
  const { token } = await tokenWith(target, policies.find(({ name }) => name === names.rotator)!.text)
  const faulty = stack.use(await FaultyVault.open(target.address))
  const vault = stack.use(await VaultClient.open({ address: faulty.address }))
  const provider = new AppRoleProvider({ vault, token: () => token, role })
  return {
    at,
    first,
    faulty,
    provider,
    create: (until = signal) =>
      provider.create({ name: `${KEY_PREFIX}one`, oldKeyId: null, supplied: undefined, signal: until }),
    login: async (secret_id: string) =>
      (await target.as('')('POST', 'auth/approle/login', { role_id, secret_id })).status,
    accessors: async () => (await target.root('GET', `${at}/secret-id?list=true`)).body?.data?.keys ?? [],
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const tokenCount = async () =>
  ((await target.root('GET', 'auth/token/accessors?list=true')).body.data.keys as string[]).length

test('makes a secret-id that logs in, lists it by its name, and ends it', async () => {
  await using world = await setup()
  const { provider } = world
  const key = await world.create()
  await provider.verify(key, signal)
  expect(await world.login(key.value)).toBe(200)
  expect(await provider.identify(key.value, signal)).toBe(key.id)
  expect(await provider.findOrphans(KEY_PREFIX, signal)).toEqual([{ id: key.id, name: `${KEY_PREFIX}one` }])
  await provider.revoke(key.id, signal)
  expect(await world.login(key.value)).toBe(400)
  await provider.revoke(key.id, signal)
  expect(await provider.findOrphans('tb/', signal)).toEqual([])
  expect(await world.login(world.first)).toBe(200)
})

test('a try leaves no token behind', async () => {
  await using world = await setup()
  const key = await world.create()
  const before = await tokenCount()
  await world.provider.verify(key, signal)
  await expect.poll(tokenCount).toBe(before)
})

test('a role whose tokens end with their TTL alone can be tried too', async () => {
  await using world = await setup({ token_type: 'batch' })
  await world.provider.verify(await world.create(), signal)
})

test('twenty tries of an ended secret-id do not lock the role for those who use it', async () => {
  await using world = await setup()
  const key = await world.create()
  await world.provider.revoke(key.id, signal)
  for (let tries = 0; tries < 20; tries++)
    await expect(world.provider.verify(key, signal)).rejects.toThrow(KeyRefusedError)
  expect(await world.login(world.first)).toBe(200)
})

describe('faults', () => {
  test('a role that is not there is named, and not taken for a Vault that is away', async () => {
    await using world = await setup()
    await target.root('DELETE', world.at)
    const { provider } = world
    const key = { id: 'accessor', value: world.first }
    for (const call of [
      () => world.create(),
      () => provider.verify(key, signal),
      () => provider.revoke('accessor', signal),
      () => provider.findOrphans('tb/', signal),
      () => provider.identify(world.first, signal),
    ]) {
      const error = (await call().catch((reason: unknown) => reason)) as Error
      expect(error).toBeInstanceOf(ProviderFailedError)
      expect(error.message).toMatch(/^role-id: no AppRole "tbc-app-/)
      expect(`${JSON.stringify(error)}${error.stack}`).not.toContain(world.first)
    }
  })

  test('a role whose secret-ids are for few logins is refused: to try one would use it', async () => {
    await using world = await setup({ secret_id_num_uses: 1 })
    await expect(world.create()).rejects.toThrow('expected 0')
    expect(await world.provider.findOrphans(KEY_PREFIX, signal)).toHaveLength(1)
  })

  test('a Vault that hangs is left at the signal', async () => {
    await using world = await setup()
    await world.faulty.set('hanging')
    await expect(world.create(AbortSignal.timeout(200))).rejects.toThrow('timeout')
  })
})

test('a whole rotation leaves one secret-id, though the first answer was lost and the last end was refused', async () => {
  await using world = await setup()
  const { provider, faulty } = world
  const lost: string[] = []
  await faulty.set('answer-lost', /secret-id$/)
  const { live, states, alerts, written } = await rotate({
    provider,
    first: world.first,
    onAway: async () => {
      lost.push(...(await world.accessors()))
      await faulty.set(undefined)
    },
    onState: (state) => faulty.set(state === 'grace' ? 'failing' : undefined, /destroy$/),
  })
  expect(lost).toHaveLength(2)
  expect(states.filter((state) => state === 'failed')).toHaveLength(1)
  expect(alerts).toContain('orphan-key-found')
  expect(await world.accessors()).toEqual([live.id])
  expect(await world.login(live.value)).toBe(200)
  expect(await world.login(world.first)).toBe(400)
  expect(written).not.toContain(live.value)
})
