import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ApiKeys, bearerOf, findApiKey, readApiKeys } from '#lib/http'
import { ConfigError, hashCredential as hash } from '#lib/runtime'
import { temporaryDirectory } from '../../support/directory.ts'

function fileOf(content: string): string {
  const directory = temporaryDirectory()
  onTestFinished(() => directory[Symbol.dispose]())
  const file = join(directory.path, 'keys.json')
  writeFileSync(file, content)
  return file
}

const keys = [
  { hash: hash('tbk_one'), caller: 'one', tenant: 'a' },
  { hash: hash('tbk_two'), caller: 'two', tenant: 'b' },
]

test.each<[string | undefined, string | undefined]>([
  ['Bearer tbk_one', 'one'],
  ['bearer tbk_two', 'two'],
  ['Bearer tbk_three', undefined],
  [`Bearer ${hash('tbk_one')}`, undefined],
  ['Bearer ', undefined],
  ['tbk_one', undefined],
  ['Basic tbk_one', undefined],
  [undefined, undefined],
])('"%s" is of %s', (header, caller) => expect(findApiKey(keys, bearerOf(header))?.caller).toBe(caller))

test.each<[string, string, RegExp]>([
  ['no JSON', '{', /expected JSON/],
  ['nothing', '', /expected JSON/],
  ['no list', '{}', /the list: .*expected array/],
  [
    'a key that is not hashed',
    '[{"hash":"tbk_plain","caller":"a","tenant":"b"}]',
    /0\.hash: expected the SHA-256/,
  ],
  [
    'the reserved tenant',
    JSON.stringify([{ ...keys[0], tenant: 'unsigned' }]),
    /0\.tenant: expected another than "unsigned"/,
  ],
  ['an unknown field', JSON.stringify([{ ...keys[0], admin: true }]), /admin/],
])('a file with %s is refused by name, and no key is shown', (_what, text, message) => {
  const file = fileOf(text)
  expect(() => readApiKeys(file, ['unsigned'])).toThrow(ConfigError)
  expect(() => readApiKeys(file, ['unsigned'])).toThrow(message)
  expect(() => readApiKeys(file, ['unsigned'])).toThrow(file)
  expect(() => readApiKeys(file, ['unsigned'])).not.toThrow(/tbk_plain/)
})

test('a file that is not there is refused by name', () => {
  expect(() => new ApiKeys('/nowhere/keys.json')).toThrow('/nowhere/keys.json: cannot be read: ENOENT')
})

test('a key, and its hash, stand for somebody until the key leaves the file', () => {
  const file = fileOf(JSON.stringify(keys))
  const watched = new ApiKeys(file)
  expect(watched.find('tbk_one')).toEqual(keys[0])
  expect(watched.findByHash(hash('tbk_two'))).toEqual(keys[1])
  for (const shown of ['tbk_three', '', hash('tbk_one')]) expect(watched.find(shown)).toBeUndefined()
  writeFileSync(file, '[]')
  expect(watched.find('tbk_one')).toBeUndefined()
})

test('a file that breaks opens nothing, not even what it opened before', () => {
  const file = fileOf(JSON.stringify(keys))
  const watched = new ApiKeys(file)
  writeFileSync(file, '{')
  expect(() => watched.find('tbk_one')).toThrow(ConfigError)
  expect(() => watched.find('tbk_one')).toThrow(ConfigError)
})
