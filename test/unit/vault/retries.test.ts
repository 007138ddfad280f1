import { describe, expect, test } from 'vitest'
import { vaultNames } from '#lib/vault'
import { answer, stubVault } from '../../support/vault-stub.ts'

const names = vaultNames({ cluster: 'demo', environment: 'dev' })
const KEY = names.secret('openai-api-key')
const entry = { data: { data: { value: 'v' }, metadata: { version: 3 } } }
const auth = { auth: { client_token: 't', accessor: 'a', policies: [], lease_duration: 60, renewable: true } }

/** A server that fails twice with this status, then answers well. */
const flaky = (status: number) =>
  stubVault(({ method }, response, nth) =>
    nth < 3
      ? answer(response, status, { errors: [] })
      : answer(response, 200, method === 'GET' ? entry : auth),
  )

describe('only what may happen twice is sent twice', () => {
  test.each([412, 429, 472, 473, 500, 502, 503, 504])('a read survives two answers of %i', async (status) => {
    await using vault = await flaky(status)
    await using client = await vault.client()
    expect(await client.kvRead('t', KEY)).toEqual({ data: { value: 'v' }, version: 3 })
    expect(vault.seen).toHaveLength(3)
  })

  test('a read survives two broken connections', async () => {
    await using vault = await stubVault((_request, response, nth) =>
      nth < 3 ? response.destroy() : answer(response, 200, entry),
    )
    await using client = await vault.client()
    expect(await client.kvRead('t', KEY)).toMatchObject({ version: 3 })
  })

  test('a renewal and a revocation are repeated', async () => {
    await using vault = await flaky(503)
    await using client = await vault.client()
    expect(await client.renewSelf('t')).toMatchObject({ token: 't', ttlMs: 60_000 })
    await client.revokeSelf('t')
    expect(vault.seen).toHaveLength(4)
  })

  test.each([400, 403, 404, 405])('a read is not repeated after %i', async (status) => {
    await using vault = await flaky(status)
    await using client = await vault.client()
    await expect(client.kvRead('t', KEY)).rejects.toMatchObject({ retryable: false, status })
    expect(vault.seen).toHaveLength(1)
  })

  test('a login, a mint, an unwrapping, a write and a leased user are sent once', async () => {
    await using vault = await stubVault((_request, response) =>
      answer(response, 503, { errors: ['Vault is sealed'] }),
    )
    await using client = await vault.client()
    const calls = [
      client.approleLogin({ roleId: 'r', secretId: 's' }),
      client.createToken('t', 'role', { ttlMs: 1000 }),
      client.unwrap('w'),
      client.kvWrite('t', KEY, { value: 'v' }, 2),
      client.dbCreds('t', names.credentials('orders-db')),
    ]
    for (const call of calls) await expect(call).rejects.toMatchObject({ kind: 'sealed', retryable: true })
    expect(vault.seen).toHaveLength(calls.length)
  })

  test('pauses are drawn from zero to a doubling ceiling, and Retry-After lengthens them to 2 s at most', async () => {
    const slept: number[] = []
    const clock = { now: () => 0, sleep: async (ms: number) => void slept.push(ms) }
    await using vault = await stubVault((_request, response, nth) => {
      if (nth > 3) response.setHeader('retry-after', '60')
      answer(response, 503, {})
    })
    await using client = await vault.client({ clock, random: () => 0.5 })
    await client.kvRead('t', KEY).catch(() => {})
    await client.kvRead('t', KEY).catch(() => {})
    expect(slept).toEqual([125, 250, 2000, 2000])
  })

  test('a refused login is locked, not a policy; a lost race is a conflict', async () => {
    await using vault = await stubVault(({ url }, response) =>
      url.includes('login')
        ? answer(response, 403, { errors: ['permission denied'] })
        : answer(response, 400, { errors: ['check-and-set parameter did not match the current version'] }),
    )
    await using client = await vault.client()
    await expect(client.approleLogin({ roleId: 'r', secretId: 's' })).rejects.toMatchObject({
      kind: 'locked',
    })
    await expect(client.kvWrite('t', KEY, {}, 1)).rejects.toMatchObject({ kind: 'conflict' })
  })

  test('an accessor that Vault does not know is undefined, whatever status its version gives', async () => {
    await using vault = await stubVault((_request, response, nth) =>
      answer(response, [400, 403, 404, 403][nth - 1]!, {
        errors: [nth === 4 ? 'permission denied' : 'invalid accessor'],
      }),
    )
    await using client = await vault.client()
    for (let n = 0; n < 3; n++) expect(await client.lookupAccessor('t', 'a')).toBeUndefined()
    await expect(client.lookupAccessor('t', 'a')).rejects.toMatchObject({ kind: 'denied' })
  })

  test('a fresh KV mount that still upgrades is waited for, also by a write', async () => {
    const upgrading = 'Upgrading from non-versioned to versioned data. This backend will be unavailable'
    await using vault = await stubVault((_request, response, nth) =>
      nth < 3
        ? answer(response, 400, { errors: [upgrading] })
        : answer(response, 200, { data: { version: 1 } }),
    )
    await using client = await vault.client()
    expect(await client.kvWrite('t', KEY, { value: 'v' }, 0)).toBe(1)
    expect(vault.seen).toHaveLength(3)
  })
})
