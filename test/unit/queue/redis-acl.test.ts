import { describe, expect, test } from 'vitest'
import { redisAcl, redisUsers, workerUser } from '#lib/queue'

const agentTypes = [
  { name: 'open', acceptUnsigned: true },
  { name: 'shut', acceptUnsigned: false },
]
const scope = { cluster: 'demo', environment: 'dev' }
const password = (user: string) => `password of ${user}`
const lines = redisAcl({ scope, agentTypes, password }).trimEnd().split('\n')
const tokensOf = (line: string) => line.split(' ')

/** The keys and channels of a user. */
const reach = (user: string) =>
  tokensOf(lines.find((line) => tokensOf(line)[1] === user)!).filter((token) => /^[~&]/.test(token))

describe('the ACL of a cluster', () => {
  test('has each user once, and no password', () => {
    const names = lines.map((line) => tokensOf(line)[1])
    expect(names).toEqual(['default', ...redisUsers(agentTypes)])
    expect(lines.join('\n')).not.toContain('password of')
  })

  test('is what Redis 6.2 reads: no selectors, no rights by kind of access, no subcommand taken away', () => {
    const known = /^(?:on|off|resetpass|resetchannels|#[0-9a-f]{64}|[~&]\S+|[+-]@?[a-z]+|\+[a-z]+\|[a-z]+)$/
    for (const line of lines) for (const token of tokensOf(line).slice(2)) expect(token).toMatch(known)
  })

  test('a worker has the keys and channels of its own queue, and beside it and the producer only promotions are heard', () => {
    expect(reach(workerUser('open'))).toEqual(['~{tb:demo:dev:open}:*', '&{tb:demo:dev:open}:*'])
    expect(reach('enqueue')).toEqual(['~{tb:demo:dev:open}:*'])
    expect(reach('sidecar')).toEqual([
      '~{tb:demo:dev:open}:open:*:lock',
      '~{tb:demo:dev:shut}:shut:*:lock',
      '~{tb:demo:dev:open}:open:tb:alerts',
      '~{tb:demo:dev:shut}:shut:tb:alerts',
      '~{tb:demo:dev:.sidecar}:.sidecar:tb:*',
      '&{tb:demo:dev:.rotator}:.rotator:tb:promoted',
      '&{tb:demo:dev:.sidecar}:.sidecar:tb:revoked',
    ])
    expect(reach('console').some((token) => token.startsWith('&'))).toBe(false)
    expect(reach('probe')).toEqual([])
  })
})
