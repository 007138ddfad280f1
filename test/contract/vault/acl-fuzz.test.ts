import { afterAll, beforeAll, expect, test } from 'vitest'
import { parsePolicy } from '../../../libs/dev-vault/acl/policy.ts'
import { naiveAllows, naiveCapabilities } from '../../support/naive-acl.ts'
import { randomBody, randomLimits, randomPaths, randomPolicy } from '../../support/random-policy.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
beforeAll(async () => {
  vault = await openVaultTarget()
})
afterAll(() => vault[Symbol.asyncDispose]())

test('I5 least: a server grants under 80 random policies what the naive reference says', async () => {
  const random = seededRandom(Number(process.env['TB_SEED'] ?? 1861))
  const { path, pathFor } = randomPaths(random)
  for (let round = 0; round < 80; round++) {
    const text = randomPolicy(random, { parameters: false })
    const { token } = await tokenWith(vault, text)
    const rules = parsePolicy(text)
    const asked = () => (random.chance(0.3) ? path() : pathFor(random.pick(rules).path))
    const paths = [...new Set(Array.from({ length: 20 }, asked))]
    const { body } = await vault.root('POST', 'sys/capabilities', { token, paths })
    for (const each of paths) {
      const expected = naiveCapabilities(rules, each, { isList: true, bareFirst: vault.isVault })
      expect(body.data[each], `${each} under\n${text}`).toEqual(expected.length > 0 ? expected : ['deny'])
    }
  }
})

test('I5 least: a server judges parameters and wrapping as the naive reference does', async () => {
  const random = seededRandom(Number(process.env['TB_SEED'] ?? 77))
  const path = 'sys/wrapping/wrap'
  const counts = { allowed: 0, denied: 0 }
  for (let round = 0; round < 60; round++) {
    const texts = Array.from({ length: 1 + random.upTo(2) }, () => {
      const capability = random.chance(0.9) ? 'update' : 'read'
      return `path "${path}" { capabilities = ["${capability}"] ${randomLimits(random)} }`
    })
    const policies = await Promise.all(texts.map(async (text) => (await tokenWith(vault, text)).policy))
    const { auth } = (await vault.root('POST', 'auth/token/create', { policies, no_default_policy: true }))
      .body
    const rules = texts.flatMap(parsePolicy)
    for (let query = 0; query < 12; query++) {
      const data = randomBody(random)
      const wrapTtlMs = random.pick([undefined, 5000, 15_000, 35_000, 50_000])
      const headers = wrapTtlMs === undefined ? {} : { 'x-vault-wrap-ttl': String(wrapTtlMs / 1000) }
      const answer = await vault.as(auth.client_token)('POST', path, Object.fromEntries(data), headers)
      const allowed = naiveAllows(rules, { operation: 'update', path, data, wrapTtlMs })
      const context = `${JSON.stringify([...data])} ${wrapTtlMs} under\n${texts.join('\n')}`
      expect(answer.status !== 403, context).toBe(allowed)
      counts[allowed ? 'allowed' : 'denied']++
    }
  }
  expect(Math.min(counts.allowed, counts.denied)).toBeGreaterThan(100)
})
