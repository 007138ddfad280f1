import { inspect, isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { Acl, type AccessRequest } from '../../../libs/dev-vault/acl/acl.ts'
import { parsePolicy } from '../../../libs/dev-vault/acl/policy.ts'
import { naiveAllows, naiveCapabilities } from '../../support/naive-acl.ts'
import { randomBody, randomPaths, randomPolicy } from '../../support/random-policy.ts'
import { seededRandom } from '../../support/seeded-random.ts'

const OPERATIONS = ['read', 'list', 'create', 'update', 'patch', 'delete'] as const

test('I5 least: 30,000 random judgements are those of a naive reference', () => {
  const random = seededRandom(20_260_822)
  const { path, pathFor } = randomPaths(random)
  const counts = { allowed: 0, denied: 0 }
  for (let round = 0; round < 1500; round++) {
    const texts = Array.from({ length: 1 + random.upTo(2) }, () => randomPolicy(random, { parameters: true }))
    if (texts.some((text) => !isPolicy(text))) continue
    const rules = texts.flatMap(parsePolicy)
    const acl = new Acl(rules)
    for (let query = 0; query < 20; query++) {
      const request: AccessRequest = {
        operation: random.pick(OPERATIONS),
        path: random.chance(0.3) ? path() : pathFor(random.pick(rules).path),
        data: randomBody(random),
        wrapTtlMs: random.pick([undefined, undefined, 5000, 15_000, 35_000, 50_000]),
        sudo: random.chance(0.2),
      }
      const allowed = naiveAllows(rules, request)
      const capabilities = naiveCapabilities(rules, request.path, { isList: true })
      const expected = { allowed, capabilities: capabilities.length > 0 ? capabilities : ['deny'] }
      const found = { allowed: acl.allows(request), capabilities: acl.capabilities(request.path) }
      if (!isDeepStrictEqual(found, expected))
        expect(found, `${inspect(request)} under\n${texts.join('\n')}`).toEqual(expected)
      counts[allowed ? 'allowed' : 'denied']++
    }
  }
  expect(counts.allowed).toBeGreaterThan(3000)
  expect(counts.denied).toBeGreaterThan(3000)
})

/** Limits may contradict each other, which is refused. */
function isPolicy(text: string): boolean {
  try {
    return parsePolicy(text).length > 0
  } catch {
    return false
  }
}
