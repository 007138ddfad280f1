import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ConfigError } from '#lib/runtime'
import { ApiKeys } from '../../../services/console/api-keys.ts'

const hash = (key: string) => createHash('sha256').update(key).digest('hex')
const OPERATOR = { hash: hash('tbk_operator'), caller: 'ann', tenant: 'default' }

function setup(content: string) {
  const folder = mkdtempSync(join(tmpdir(), 'tb-keys-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'keys.json')
  writeFileSync(file, content)
  return file
}

test('an operator is known by the key, a worker and a stranger are not', () => {
  const worker = { ...OPERATOR, hash: hash('tbk_worker'), agentType: 'coder' }
  const keys = new ApiKeys(setup(JSON.stringify([OPERATOR, worker])))
  expect(keys.operator('tbk_operator')).toEqual({ caller: 'ann', hash: OPERATOR.hash })
  for (const key of ['tbk_worker', 'tbk_stranger', '', OPERATOR.hash])
    expect(keys.operator(key)).toBeUndefined()
})

test('a key that leaves the file opens nothing any more', () => {
  const file = setup(JSON.stringify([OPERATOR]))
  const keys = new ApiKeys(file)
  expect(keys.operator('tbk_operator')).toBeDefined()
  writeFileSync(file, '[]')
  expect(keys.operator('tbk_operator')).toBeUndefined()
})

test.each(['', '{', '{}', '[{"hash":"short","caller":"x","tenant":"y"}]', '[7]'])(
  'a file that holds %j is refused by name, without its content',
  (content) => {
    const file = setup(content)
    expect(() => new ApiKeys(file)).toThrow(ConfigError)
    expect(() => new ApiKeys(file)).toThrow(`${file}: expected a JSON list of {hash, caller, tenant}`)
  },
)

test('a file that is not there is refused by name', () => {
  expect(() => new ApiKeys('/nowhere/keys.json')).toThrow('/nowhere/keys.json: cannot be read: ENOENT')
})
