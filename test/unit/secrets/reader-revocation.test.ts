import { expect, test } from 'vitest'
import { SecretRevokedError } from '#lib/secrets'
import { readerWorld as setup } from '../../support/secrets-world.ts'
import { settle } from '../../support/turned-clock.ts'

test('I6 a revoked generation is given to nobody, and its value is wiped', async () => {
  const { clock, vault, reader } = await setup()
  const { value } = await reader.read('writer', 'api-key')
  reader.revoke('api-key', 3)
  expect(() => value.reveal()).toThrow(/was wiped/)
  await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretRevokedError)
  await clock.advance(3_600_000)
  await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretRevokedError)
  expect(reader.cached('api-key')).toMatchObject([{ agentType: 'writer', state: 'revoked' }])
  expect(vault.count('kvRead')).toBe(3)
})

test('the next generation is given as soon as it is told', async () => {
  const { vault, reader, path } = await setup()
  reader.revoke('api-key', 3)
  await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretRevokedError)
  vault.kv.set(path, { data: { value: 'second' }, version: 4 })
  reader.promoted('api-key', 4)
  expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 4 })
})

test('I6 what was asked of Vault before the revocation is not given after it', async () => {
  const { vault, reader } = await setup()
  const release = vault.hold('kvRead')
  const early = reader.read('writer', 'api-key')
  await settle()
  reader.revoke('api-key', 3)
  release()
  await expect(early).rejects.toThrow(SecretRevokedError)
})

test('the newest generation that is kept can be named, and what is kept of none is 0', async () => {
  const { vault, reader, path } = await setup()
  expect(reader.newest('api-key')).toBe(0)
  await reader.read('writer', 'api-key')
  reader.revoke('api-key', reader.newest('api-key'))
  await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretRevokedError)
  vault.kv.set(path, { data: { value: 'second' }, version: 4 })
  reader.forget('api-key')
  expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 4 })
})

test('I6 while Vault is away nothing revoked is served', async () => {
  const { vault, reader } = await setup()
  await reader.read('writer', 'api-key')
  reader.revoke('api-key', 3)
  vault.fail('kvRead', { kind: 'sealed' })
  await expect(reader.read('writer', 'api-key')).rejects.toThrow(/not available/)
})

test('I6 what is noted in Vault holds for a sidecar that nobody told', async () => {
  const { vault, reader, path } = await setup()
  vault.kv.set(path, { ...vault.kv.get(path)!, notes: { 'revoked-through': '3' } })
  await expect(reader.read('writer', 'api-key')).rejects.toThrow(SecretRevokedError)
  vault.kv.set(path, { data: { value: 'second' }, version: 4, notes: { 'revoked-through': '3' } })
  reader.promoted('api-key', 4)
  expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 4 })
})

test("ending an agent type ends its token and wipes its values; others' stay", async () => {
  const { vault, reader, names, path } = await setup()
  vault.allowed.add(`${names.agent('reader')} ${path}`)
  const { value } = await reader.read('writer', 'api-key')
  const other = await reader.read('reader', 'api-key')
  reader.endType('writer')
  await settle()
  expect(() => value.reveal()).toThrow(/was wiped/)
  expect(other.value.reveal()).toBe('canary-value')
  expect([...vault.tokens.values()].filter(({ role }) => role === names.agent('writer'))).toEqual([])
  expect(await reader.read('writer', 'api-key')).toMatchObject({ generation: 3 })
  expect(vault.count('createToken')).toBe(3)
})
