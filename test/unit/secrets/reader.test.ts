import { describe, expect, test } from 'vitest'
import { SecretDeniedError, SecretNotFoundError, SecretUnavailableError } from '#lib/secrets'
import { readerWorld as setup } from '../../support/secrets-world.ts'
import { settle } from '../../support/turned-clock.ts'

const MINUTE = 60_000
describe('the cache of static secrets', () => {
  test('a hundred reads at once cost one mint and one call', async () => {
    const { vault, reader } = await setup()
    const reads = await Promise.all(Array.from({ length: 100 }, () => reader.read('writer', 'api-key')))
    expect(new Set(reads.map(({ value }) => value.reveal()))).toEqual(new Set(['canary-value']))
    expect(reads[0]).toMatchObject({ generation: 3, stale: false })
    expect([vault.count('createToken'), vault.count('kvRead')]).toEqual([1, 1])
  })

  test('a value is fresh for 300 s, then read again', async () => {
    const { clock, vault, reader, path } = await setup()
    await reader.read('writer', 'api-key')
    vault.kv.set(path, { data: { value: 'second' }, version: 4 })
    await clock.advance(299_999)
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3 })
    await clock.advance(1)
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 4 })
  })

  test('a value in use is read anew before it is old, and nobody waits for that', async () => {
    const { clock, vault, reader, path } = await setup()
    await reader.read('writer', 'api-key')
    vault.kv.set(path, { data: { value: 'second' }, version: 4 })
    await clock.advance(240_000)
    const release = vault.hold('kvRead')
    for (const _ of Array(3)) expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3 })
    release()
    await settle()
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 4 })
    expect(vault.count('kvRead')).toBe(2)
  })

  test('while Vault is away, reading ahead is tried every ten seconds and fails nobody', async () => {
    const { clock, vault, reader } = await setup()
    await reader.read('writer', 'api-key')
    vault.fail('kvRead', ...Array.from({ length: 9 }, () => ({ kind: 'sealed' as const })))
    await clock.advance(240_000)
    for (let at = 0; at < 30; at++) {
      expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3, stale: false })
      await clock.advance(1000)
    }
    expect(vault.count('kvRead')).toBe(4)
  })

  test('freshness counts from when the value was asked for, not from a late answer', async () => {
    const { clock, vault, reader } = await setup()
    const release = vault.hold('kvRead')
    const read = reader.read('writer', 'api-key')
    await clock.advance(4 * MINUTE)
    release()
    await read
    await clock.advance(MINUTE)
    await reader.read('writer', 'api-key')
    expect(vault.count('kvRead')).toBe(2)
  })

  test('I5 a value that one type may read is not served to another', async () => {
    const { vault, reader } = await setup()
    await reader.read('writer', 'api-key')
    await expect(reader.read('reader', 'api-key')).rejects.toThrow(SecretDeniedError)
    expect(vault.count('kvRead')).toBe(2)
  })

  test('a refusal purges the value, and is remembered for 5 s', async () => {
    const { clock, vault, reader, names, path } = await setup()
    await reader.read('writer', 'api-key')
    vault.allowed.clear()
    await clock.advance(5 * MINUTE)
    for (let n = 0; n < 50; n++)
      await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretDeniedError)
    expect(vault.count('kvRead')).toBe(2)
    vault.fail('kvRead', { kind: 'network' })
    await clock.advance(5000)
    await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretUnavailableError)
    vault.allowed.add(`${names.agent('writer')} ${path}`)
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3 })
  })

  test('an absent secret is asked for once in 10 s', async () => {
    const { clock, vault, reader, names, path } = await setup()
    const entry = vault.kv.get(path)!
    vault.kv.delete(path)
    for (let n = 0; n < 50; n++)
      await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretNotFoundError)
    expect(vault.count('kvRead')).toBe(1)
    vault.kv.set(names.secret('api-key'), entry)
    await clock.advance(10_000)
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3 })
  })

  test('what was forgotten is asked for at once, its absence too, and what was asked before is not kept', async () => {
    const { vault, reader, path } = await setup()
    const entry = vault.kv.get(path)!
    vault.kv.delete(path)
    await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretNotFoundError)
    vault.kv.set(path, entry)
    reader.forget('api-key')
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3 })
    reader.forget('api-key')
    const release = vault.hold('kvRead')
    const early = reader.read('writer', 'api-key')
    reader.forget('api-key')
    vault.kv.set(path, { data: { value: 'newer' }, version: 4 })
    release()
    await early
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 4 })
  })

  test('forgetting one secret leaves those whose names end alike', async () => {
    const { vault, reader } = await setup()
    await reader.read('writer', 'api-key')
    reader.forget('key')
    await reader.read('writer', 'api-key')
    expect(vault.count('kvRead')).toBe(1)
  })

  test('an operator sees what is kept of a secret, and no value', async () => {
    const { clock, reader } = await setup()
    await reader.read('writer', 'api-key')
    await expect(reader.read('reader', 'api-key')).rejects.toThrow(SecretDeniedError)
    await clock.advance(1000)
    expect(reader.cached('api-key')).toEqual([
      { agentType: 'writer', state: 'value', generation: 3, freshForMs: 299_000 },
      { agentType: 'reader', state: 'denied', freshForMs: 4000 },
    ])
  })

  test.each([{}, { value: '' }, { value: 7 }, { value: { a: 'canary' } }])(
    'what is no text is refused without being shown: %j',
    async (data) => {
      const { vault, reader, path } = await setup()
      vault.kv.set(path, { data, version: 1 })
      await expect(reader.read('writer', 'api-key')).rejects.toThrow(
        /^secret "api-key" in Vault: field "value" is no text/,
      )
    },
  )

  test('while Vault is away the last value is served, marked stale, and then no more', async () => {
    const { clock, vault, reader } = await setup()
    await reader.read('writer', 'api-key')
    vault.fail('kvRead', { kind: 'sealed' }, { kind: 'timeout' })
    await clock.advance(19 * MINUTE)
    expect(await reader.read('writer', 'api-key')).toMatchObject({ stale: true, generation: 3 })
    await clock.advance(MINUTE)
    await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretUnavailableError)
    expect(await reader.read('writer', 'api-key')).toMatchObject({ stale: false })
  })
})

describe("the agent type's token", () => {
  test('is replaced before it ends, and the old one is revoked', async () => {
    const { clock, vault, reader, names } = await setup()
    await reader.read('writer', 'api-key')
    for (let n = 0; n < 12; n++) {
      await clock.advance(5 * MINUTE)
      await reader.read('writer', 'api-key')
    }
    const live = [...vault.tokens.values()].filter(({ role }) => role === names.agent('writer'))
    expect(vault.count('createToken')).toBe(2)
    expect(live).toHaveLength(1)
  })

  test('is minted anew when it was revoked under us, without an error to the caller', async () => {
    const { clock, vault, reader } = await setup()
    await reader.read('writer', 'api-key')
    vault.drop('canary-token-2')
    await clock.advance(5 * MINUTE)
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3 })
    expect(vault.count('createToken')).toBe(2)
  })

  test('is not minted again because a policy refuses', async () => {
    const { clock, vault, reader } = await setup()
    for (let n = 0; n < 10; n++) {
      await expect(reader.read('writer', 'other-key')).rejects.toThrow(SecretDeniedError)
      await clock.advance(5000)
    }
    expect(vault.count('createToken')).toBe(1)
  })

  test('ends with the reader, whose values are wiped', async () => {
    const { vault, reader, identity } = await setup()
    const { value } = await reader.read('writer', 'api-key')
    await reader[Symbol.asyncDispose]()
    await identity[Symbol.asyncDispose]()
    expect(vault.tokens.size).toBe(0)
    expect(() => value.reveal()).toThrow(/was wiped/)
  })

  test('1,000 attempts with three static secrets of four types cost at most 60 calls to Vault', async () => {
    const { clock, vault, reader, names } = await setup({ random: Math.random })
    const types = ['a', 'b', 'c', 'd']
    const secrets = ['k', 'l', 'm']
    for (const secret of secrets) vault.kv.set(names.secret(secret), { data: { value: 'v' }, version: 1 })
    for (const type of types)
      for (const secret of secrets) vault.allowed.add(`${names.agent(type)} ${names.secret(secret)}`)
    for (let attempt = 0; attempt < 1000; attempt++) {
      for (const secret of secrets) await reader.read(types[attempt % 4]!, secret)
      if (attempt % 10 === 0) await clock.advance(6000)
    }
    expect(vault.calls.length).toBeLessThanOrEqual(60)
  })
})
