import type { Secret } from '#lib/cluster'
import { expect, test } from 'vitest'
import { NotRotatableError, providerOf } from '../../../services/rotator/providers.ts'
import { parse } from '../cluster/samples.ts'

const USER = { uid: 61_234, gid: 61_234 }
const parts = { read: async () => 'value', vault: {} as never, token: () => 'token', commandUser: USER }
const connect = 'connect: { host: h, port: 6432, database: d, admin-secret: adm }'

function secretOf(text: string): Secret {
  return parse(`secrets:\n  s: { ${text} }\n  adm: { provider: postgres-admin }\n`).secrets['s']!
}

test.each([
  ['provider: random, rotate: daily', 'random', {}],
  [
    'provider: openai, rotate: { every: daily, project: p, admin-secret: adm }',
    'openai/p',
    { endsKeys: true },
  ],
  ['provider: anthropic, rotate: { every: daily, admin-secret: adm }', 'anthropic', { endsKeys: true }],
  ['provider: anthropic, rotate: daily', 'anthropic', { endsKeys: false, awaitsKeys: true }],
  [
    `provider: postgres-roles, ${connect}, rotate: { every: daily, roles: [a, b] }`,
    'postgres/h:6432',
    { endsKeys: true },
  ],
  ['provider: vault-approle, rotate: { every: daily, role: app }', 'vault-approle/app', { endsKeys: true }],
  ['provider: openai, rotate: { every: daily, command: ./keys }', 'command/cluster/keys', { endsKeys: true }],
  ['provider: mail, rotate: daily', 'supplied/s', { endsKeys: false, awaitsKeys: true }],
])('{ %s } is rotated by %s', (text, account, further) => {
  expect(providerOf(secretOf(text), parts)).toMatchObject({ account, ...further })
})

test('the socket that up gives a database takes the place of its host', () => {
  const secret = secretOf(`provider: postgres-roles, ${connect}, rotate: { every: daily, roles: [a, b] }`)
  secret.connect!.socket = '/run/postgres'
  expect(providerOf(secret, parts).account).toBe('postgres//run/postgres:6432')
})

test('a secret that no checked file has is refused by name', () => {
  const secret = secretOf('provider: vault-approle, rotate: { every: daily, role: app }')
  delete secret.rotate!.role
  expect(() => providerOf(secret, parts)).toThrow(NotRotatableError)
  expect(() => providerOf(secret, parts)).toThrow('secrets.s.rotate')
})

test('what a command answers beside the calls of each comes from the file', () => {
  const text = 'provider: x, rotate: { every: daily, command: ./keys, also: [disable] }'
  const provider = providerOf(secretOf(text), parts)
  expect(provider).toHaveProperty('disable')
  expect(provider).not.toHaveProperty('lastUsed')
})
