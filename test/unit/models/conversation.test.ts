import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '#lib/runtime'
import { expect, onTestFinished, test } from 'vitest'
import { Config } from '../../../services/dev/models/config.ts'
import { answerTo } from '../../../services/dev/models/conversation.ts'
import { AcceptedKeys } from '../../../services/dev/models/keys.ts'

const ask = (user: string, system = '') =>
  answerTo({ model: 'm', system, user, stream: false }, 'the-key').text

test('a support request is answered from its own words, the same each time', () => {
  const prompt = 'My parcel 4711 is late. Where is it?'
  expect(ask(prompt)).toContain('My parcel 4711 is late')
  expect(ask(prompt)).toContain('"Where is it?"')
  expect(ask(prompt)).toBe(ask(prompt))
})

test('given answers are merged, not invented', () =>
  expect(ask('Merge these answers.\n- There are 12 orders.\n- Returns take 5 days.')).toBe(
    'There are 12 orders. Returns take 5 days.',
  ))

test('rows among the answers are read aloud, and an answer needs no label', () =>
  expect(
    ask('Merge these.\nReply: It is on its way.\nRecords: [{"name":"Dock","price":"9.50"},{"name":"Hub"}]'),
  ).toBe('It is on its way. Records: name Dock, price 9.50; name Hub.'))

test('sentences end in other scripts too', () =>
  expect(ask('請問可以開立發票嗎？我需要公司抬頭。')).toContain('your question, "請問可以開立發票嗎？"'))

test('a question that no table answers is told so, with the tables that there are', () => {
  const schema = 'Answer in SQL.\nCREATE TABLE boats (id integer);\nCREATE TABLE crews (id integer);'
  expect(ask('What is the meaning of blue?', schema)).toBe('None of the tables boats, crews answers this.')
})

test('a schema without a wish for SQL is answered in prose', () =>
  expect(ask('What does boats(id, hull) mean?')).not.toContain('SELECT'))

test('only the fault that asks for it echoes the key', () => {
  expect(ask('hello there')).not.toContain('the-key')
  expect(ask('hello [[stand-in:echo-key]]')).toContain('the-key')
})

test('an empty prompt gets an answer', () => expect(ask('  ')).not.toBe(''))

test('it refuses to start in environment production', () =>
  expect(() => loadConfig(Config, { TB_ENVIRONMENT: 'production', TB_KEYS_FILE: 'k' })).toThrow(
    /TB_ENVIRONMENT.*production/,
  ))

test('the key file is read again when it changes, and a broken one changes nothing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tb-keys-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'keys.json')
  writeFileSync(file, JSON.stringify({ anthropic: ['first'] }))
  const keys = new AcceptedKeys(file)
  expect(keys.has('anthropic', 'first')).toBe(true)
  expect(keys.has('openai-admin', 'first')).toBe(false)
  writeFileSync(file, JSON.stringify({ anthropic: ['second-one'] }))
  expect([keys.has('anthropic', 'first'), keys.has('anthropic', 'second-one')]).toEqual([false, true])
  writeFileSync(file, '{')
  expect(keys.has('anthropic', 'second-one')).toBe(true)
})
