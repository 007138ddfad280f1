import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError } from '#lib/runtime'
import { findApiKey, readApiKeys } from '../../../services/producer/api-keys.ts'

const hash = (key: string) => createHash('sha256').update(key).digest('hex')
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
])('"%s" is of %s', (header, caller) => expect(findApiKey(keys, header)?.caller).toBe(caller))

test.each<[string, string, RegExp]>([
  ['no JSON', '{', /no JSON/],
  [
    'a key that is not hashed',
    '[{"hash":"tbk_plain","caller":"a","tenant":"b"}]',
    /0\.hash: expected the SHA-256/,
  ],
  ['the reserved tenant', JSON.stringify([{ ...keys[0], tenant: 'unsigned' }]), /0\.tenant: .*unsigned jobs/],
  ['an unknown field', JSON.stringify([{ ...keys[0], admin: true }]), /admin/],
])('a file with %s is refused by name, and no key is shown', (_what, text, message) => {
  const file = join(mkdtempSync(join(tmpdir(), 'tb-keys-')), 'keys.json')
  writeFileSync(file, text)
  expect(() => readApiKeys(file)).toThrow(ConfigError)
  expect(() => readApiKeys(file)).toThrow(message)
  expect(() => readApiKeys(file)).toThrow(file)
  expect(() => readApiKeys(file)).not.toThrow(/tbk_plain/)
})
