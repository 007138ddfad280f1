import { afterAll, beforeAll, expect, test } from 'vitest'
import { parsePolicy } from '../../../libs/dev-vault/acl/policy.ts'
import { naiveCapabilities } from '../../support/naive-acl.ts'
import { randomPaths, randomPolicy } from '../../support/random-policy.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
beforeAll(async () => {
  vault = await openVaultTarget()
})
afterAll(() => vault[Symbol.asyncDispose]())

test('I5 least: a server grants under 80 random policies what the naive reference says', async () => {
  const random = seededRandom(1861)
  const { path, pathFor } = randomPaths(random)
  for (let round = 0; round < 80; round++) {
    const text = randomPolicy(random, { parameters: false })
    const { token } = await tokenWith(vault, text)
    const rules = parsePolicy(text)
    const asked = () => (random.chance(0.3) ? path() : pathFor(random.pick(rules).path))
    const paths = [...new Set(Array.from({ length: 20 }, asked))]
    const { body } = await vault.root('POST', 'sys/capabilities', { token, paths })
    for (const each of paths) {
      const expected = naiveCapabilities(rules, each, true)
      expect(body.data[each], `${each} under\n${text}`).toEqual(expected.length > 0 ? expected : ['deny'])
    }
  }
})
