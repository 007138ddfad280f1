import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { NoServiceUidsError, type ServiceName, ServiceUsers } from '../../../services/dev/up/service-users.ts'

const made: string[] = []
afterEach(() => made.splice(0).forEach((path) => rmSync(path, { recursive: true })))

function setup(blocks = 4) {
  const claims = mkdtempSync(join(tmpdir(), 'tb-claims-'))
  made.push(claims)
  const range = { first: 5000, last: 5000 + blocks * 256 - 1 }
  return { claims, range, claim: (types = ['a', 'b']) => ServiceUsers.claim(types, claims, range) }
}
const SERVICES: ServiceName[] = [
  ...(['redis', 'postgres', 'vault', 'traces', 'models', 'sidecar', 'producer', 'console'] as const),
  'worker-a',
  'worker-b',
]

describe('G6 the users of services', () => {
  test('no two services of one cluster, and no two clusters, share a uid', () => {
    const { claim } = setup()
    const clusters = [claim(), claim(), claim()]
    const uids = clusters.flatMap((users) => SERVICES.map((service) => users.of(service).uid))
    expect(new Set(uids).size).toBe(uids.length)
    for (const uid of uids) expect(uid).toBeGreaterThanOrEqual(5000)
  })

  test('a service is in the groups of what it connects to and in no other', () => {
    const users = setup().claim()
    const [redis, postgres] = [users.of('redis').gid, users.of('postgres').gid]
    const groups = Object.fromEntries(SERVICES.map((service) => [service, users.of(service).groups]))
    expect(groups).toEqual({
      redis: [],
      postgres: [],
      vault: [postgres],
      traces: [],
      models: [],
      sidecar: [redis, postgres],
      producer: [redis],
      console: [redis],
      'worker-a': [redis],
      'worker-b': [redis],
    })
    for (const service of SERVICES) expect(users.of(service).gid).toBe(users.of(service).uid)
  })

  test('a claim that was given back is claimed again; with none left there is an error', () => {
    const { claim, claims } = setup(2)
    const first = claim()
    claim()
    expect(readdirSync(claims)).toHaveLength(2)
    expect(() => claim()).toThrow(NoServiceUidsError)
    rmSync(first.claim, { recursive: true })
    expect(claim().of('redis')).toEqual(first.of('redis'))
  })

  test('more agent types than uids in a block are refused with both numbers', () => {
    const { claim, claims } = setup()
    const types = Array.from({ length: 225 }, (_, at) => `t${at}`)
    expect(() => claim(types)).toThrow(/at most 224 agent types.*found 225/)
    expect(readdirSync(claims)).toEqual([])
    const users = claim(types.slice(1))
    expect(users.of('worker-t224').uid).toBe(5255)
  })
})
