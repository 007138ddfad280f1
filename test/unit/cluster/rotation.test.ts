import { vaultNeeds } from '#lib/cluster'
import { describe, expect, test } from 'vitest'
import { linesOf, parse } from './samples.ts'

const secretsOf = (...lines: string[]) => `secrets:\n${lines.map((line) => `  ${line}\n`).join('')}`

function needs(text: string) {
  const { rotated, databases } = vaultNeeds(parse(text))
  return { rotated, databases }
}

describe('rotation', () => {
  const connect = 'connect: { host: h, database: d, admin-secret: adm }'
  const adm = 'adm: { provider: postgres-admin }'
  const rotated = (provider: string, rotate: string, rest = '') =>
    secretsOf(`s: { provider: ${provider}, ${rest}rotate: ${rotate} }`, adm)

  test.each([
    [rotated('openai', 'daily'), 'secrets.s.rotate: to rotate a secret of provider openai needs project'],
    [
      rotated('openai', 'daily'),
      'secrets.s.rotate: to rotate a secret of provider openai needs admin-secret',
    ],
    [
      rotated('vault-approle', 'daily'),
      'secrets.s.rotate: to rotate a secret of provider vault-approle needs role',
    ],
    [
      rotated('vault-approle', '{ every: daily, role: tb--demo--dev--sidecar }'),
      "secrets.s.rotate.role: expected an AppRole of others: one of threadbound's own would give its rights away",
    ],
    [
      rotated('postgres-roles', 'daily', `${connect}, `),
      'secrets.s.rotate: to rotate a secret of provider postgres-roles needs roles',
    ],
    [
      rotated('postgres-roles', '{ every: daily, roles: [a, b] }'),
      'secrets.s: a secret of provider postgres-roles needs connect',
    ],
    [
      rotated('postgres-roles', '{ every: daily, roles: [a, a] }', `${connect}, `),
      'secrets.s.rotate.roles: expected two roles; while one is live the other is idle',
    ],
    [
      rotated('postgres-roles', '{ every: daily, roles: [a] }', `${connect}, `),
      'secrets.s.rotate.roles: expected two login roles',
    ],
    [
      rotated('github', '{ every: daily, role: app }'),
      'secrets.s.rotate.role: is for provider vault-approle without a command',
    ],
    [
      rotated('github', '{ every: daily, also: [disable] }'),
      'secrets.s.rotate.also: is for a command; expected command beside it',
    ],
    [
      rotated('github', '{ every: daily, command: ../elsewhere }'),
      'secrets.s.rotate.command: expected a path inside the folder of this file',
    ],
  ])('%j', (text, line) => {
    expect(linesOf(text)).toContainEqual(expect.stringContaining(line))
  })

  test.each([
    rotated('vault-approle', '{ every: daily, role: app }'),
    rotated('postgres-roles', '{ every: daily, roles: [app_a, app_b] }', `${connect}, `),
    rotated('openai', '{ every: daily, command: ./rotate, also: [last-used, disable] }'),
    rotated('anthropic', 'weekly'),
    rotated('mail', 'weekly'),
    rotated('random', 'weekly'),
  ])('%j is fine', (text) => expect(linesOf(text)).toEqual([]))

  test('what it needs of Vault: the admin secret, the AppRole, and no leased users for roles that take turns', () => {
    expect(needs(rotated('vault-approle', '{ every: daily, role: app }'))).toEqual({
      rotated: [{ secret: 's', appRole: 'app' }],
      databases: [],
    })
    expect(needs(rotated('postgres-roles', '{ every: daily, roles: [a, b] }', `${connect}, `))).toEqual({
      rotated: [{ secret: 's', adminSecret: 'adm' }],
      databases: [],
    })
  })

  test('a command is found by its real path', () => {
    const { secrets } = parse(rotated('github', '{ every: daily, command: ./bin/rotate, also: [disable] }'))
    expect(secrets['s']!.rotate).toEqual({
      every: 'daily',
      command: '/cluster/bin/rotate',
      also: ['disable'],
    })
  })

  const within = (window: string) => rotated('random', `{ every: daily, window: ${window} }`)

  test('may be kept to a part of the day', () => {
    expect(parse(within('02:00-05:30')).secrets['s']!.rotate!.window).toEqual({
      fromMinute: 120,
      toMinute: 330,
    })
    for (const none of ['night', '02:00', '24:00-02:00', '02:00-02:00', '2-5'])
      expect(linesOf(within(none)).join()).toContain('expected a part of the day in UTC')
  })
})
