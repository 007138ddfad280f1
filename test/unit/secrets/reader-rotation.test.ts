import { describe, expect, test } from 'vitest'
import { type KeepTimes, SecretUnavailableError } from '#lib/secrets'
import { readerWorld as setup } from '../../support/secrets-world.ts'
import { settle } from '../../support/turned-clock.ts'

const MINUTE = 60_000

/** Two agent types that have the value, which then changes in Vault. */
async function rotated(more: { keepTimes?: () => KeepTimes } = {}) {
  const world = await setup(more)
  world.vault.allowed.add(`${world.names.agent('reader')} ${world.path}`)
  for (const type of ['writer', 'reader']) await world.reader.read(type, 'api-key')
  world.vault.kv.set(world.path, { data: { value: 'second' }, version: 4 })
  return world
}

describe('a refusal by the service', () => {
  test('a service that refuses every value makes no storm: 8 reads at most in the first minute', async () => {
    const { clock, vault, reader } = await setup()
    for (let ms = 0; ms < MINUTE; ms += 100) {
      const { generation } = await reader.read('writer', 'api-key')
      expect(await reader.newer('writer', 'api-key', generation)).toBeUndefined()
      await clock.advance(100)
    }
    expect(vault.count('kvRead')).toBeLessThanOrEqual(8)
  })

  test('a storm of refusals over ten agent types costs 8 reads of Vault at most in its first minute', async () => {
    const { clock, vault, reader, names, path } = await setup()
    const types = Array.from({ length: 10 }, (_, at) => `type-${at}`)
    for (const type of types) {
      vault.allowed.add(`${names.agent(type)} ${path}`)
      await reader.read(type, 'api-key')
    }
    const before = vault.count('kvRead')
    for (let ms = 0; ms < MINUTE; ms += 50) {
      await Promise.all(types.map((type) => reader.newer(type, 'api-key', 3)))
      await clock.advance(50)
    }
    expect(vault.count('kvRead') - before).toBeLessThanOrEqual(8)
    expect(vault.count('kvRead') - before).toBeGreaterThan(4)
  })

  test('after a refusal Vault is asked at once, then after 1 s, then after twice as long', async () => {
    const { clock, vault, reader, path } = await setup()
    await reader.read('writer', 'api-key')
    const refused = async () => {
      const before = vault.count('kvRead')
      const found = await reader.newer('writer', 'api-key', 3)
      return found?.generation ?? vault.count('kvRead') - before
    }
    expect([await refused(), await refused()]).toEqual([1, 0])
    await clock.advance(1000)
    expect([await refused(), await refused()]).toEqual([1, 0])
    await clock.advance(1000)
    expect(await refused()).toBe(0)
    vault.kv.set(path, { data: { value: 'second' }, version: 4 })
    await clock.advance(1000)
    expect([await refused(), await refused()]).toEqual([4, 4])
    expect(vault.count('kvRead')).toBe(4)
  })

  test('of all whose calls are refused one reads, and all get what it finds, of every agent type', async () => {
    const { vault, reader, names, path } = await setup()
    vault.allowed.add(`${names.agent('reader')} ${path}`)
    for (const type of ['writer', 'reader']) await reader.read(type, 'api-key')
    vault.kv.set(path, { data: { value: 'second' }, version: 4 })
    const release = vault.hold('kvRead')
    const asked = ['writer', 'writer', 'writer', 'reader', 'reader', 'reader'].map((type) =>
      reader.newer(type, 'api-key', 3),
    )
    await settle()
    release()
    expect((await Promise.all(asked)).map((read) => read?.value.reveal())).toEqual(Array(6).fill('second'))
    expect(vault.count('kvRead')).toBe(4)
  })

  test('who was refused an older value gets the one that is there, without a read', async () => {
    const { vault, reader } = await setup()
    await reader.read('writer', 'api-key')
    expect(await reader.newer('writer', 'api-key', 2)).toMatchObject({ generation: 3 })
    expect(vault.count('kvRead')).toBe(1)
  })
})

describe('a promotion', () => {
  test('is learned at once: every agent type that has an older value reads anew, once, and nobody waits', async () => {
    const { vault, reader } = await rotated()
    reader.promoted('api-key', 4)
    await settle()
    expect(vault.count('kvRead')).toBe(4)
    for (const type of ['writer', 'reader'])
      expect(await reader.read(type, 'api-key')).toMatchObject({ generation: 4, stale: false })
    reader.promoted('api-key', 4)
    reader.promoted('api-key', 3)
    await settle()
    expect(vault.count('kvRead')).toBe(4)
  })

  test('costs nothing where the secret was never read, and leaves others alone', async () => {
    const { vault, reader } = await rotated()
    reader.promoted('key', 9)
    reader.promoted('other-key', 9)
    await settle()
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3 })
    expect(vault.count('kvRead')).toBe(2)
  })

  test('that one agent type finds by itself outdates what the others have', async () => {
    const { vault, reader } = await rotated()
    expect(await reader.newer('writer', 'api-key', 3)).toMatchObject({ generation: 4 })
    expect(await reader.read('reader', 'api-key')).toMatchObject({ generation: 4 })
    expect(vault.count('kvRead')).toBe(4)
  })

  test('that overtakes a read under way is read again a second later, not at each use', async () => {
    const { clock, vault, reader, path } = await setup()
    const release = vault.hold('kvRead')
    const early = reader.read('writer', 'api-key')
    await settle()
    reader.promoted('api-key', 4)
    release()
    expect(await early).toMatchObject({ generation: 3 })
    vault.kv.set(path, { data: { value: 'second' }, version: 4 })
    for (const _ of Array(20)) await reader.read('writer', 'api-key')
    expect(vault.count('kvRead')).toBe(1)
    await clock.advance(1000)
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 4 })
  })

  test('that is a lie costs a read a second, for a minute', async () => {
    const { clock, vault, reader } = await setup()
    await reader.read('writer', 'api-key')
    reader.promoted('api-key', 1_000_000)
    for (let ms = 0; ms < 3 * MINUTE; ms += 100) {
      expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3 })
      await clock.advance(100)
    }
    expect(vault.count('kvRead')).toBeLessThanOrEqual(63)
  })

  test('while Vault is away leaves the older value in use, as long as it may be', async () => {
    const { clock, vault, reader } = await rotated()
    vault.fail('kvRead', ...Array.from({ length: 9 }, () => ({ kind: 'sealed' as const })))
    reader.promoted('api-key', 4)
    await settle()
    expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3, stale: true })
    await clock.advance(20 * MINUTE)
    await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretUnavailableError)
  })

  test('that may have been missed is found by the next who uses the value', async () => {
    const { vault, reader } = await rotated()
    reader.doubt()
    for (const _ of Array(5)) expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 4 })
    expect(vault.count('kvRead')).toBe(3)
  })

  test('is found without a word within the time that the secret is kept, by every draw of the jitter', async () => {
    for (const random of [0, 0.5, 1]) {
      const { clock, vault, reader, path } = await setup({
        keepTimes: () => ({ freshMs: 1000, staleMs: 0 }),
        random: () => random,
      })
      await reader.read('writer', 'api-key')
      vault.kv.set(path, { data: { value: 'second' }, version: 4 })
      await clock.advance(1000)
      expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 4 })
    }
  })

  test('is never known from a value that is stale where none may be', async () => {
    const { clock, vault, reader } = await rotated({ keepTimes: () => ({ freshMs: 1000, staleMs: 0 }) })
    vault.fail('kvRead', { kind: 'sealed' })
    await clock.advance(1000)
    await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretUnavailableError)
  })
})
