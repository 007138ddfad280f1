import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { joinShares, splitSecret } from '../../../libs/dev-vault/seal/shamir.ts'
import { Seal } from '../../../libs/dev-vault/seal/seal.ts'

const VAULT_SHARES = ['b91281e55d', 'f6e171c5d6', 'bad53f6e4d', 'd03cb6df85', 'ba5d7f8dfd']

describe("Shamir's shares", () => {
  test('any shares as many as the threshold join to the secret, in any order', () => {
    const secret = randomBytes(32)
    const shares = splitSecret(secret, { shares: 5, threshold: 3 })
    for (const chosen of [
      [0, 1, 2],
      [4, 2, 0],
      [3, 1, 4],
      [0, 1, 2, 3, 4],
    ])
      expect(joinShares(chosen.map((index) => shares[index]!))).toEqual(secret)
  })

  test('fewer join to something else', () => {
    const secret = randomBytes(32)
    const shares = splitSecret(secret, { shares: 3, threshold: 3 })
    expect(joinShares(shares.slice(0, 2))).not.toEqual(secret)
  })

  test('shares that Vault made are joined', () => {
    // Made by sdk/helper/shamir of OpenBao 2.6.2 from the bytes of "test".
    const shares = VAULT_SHARES.map((hex) => Buffer.from(hex, 'hex'))
    expect(joinShares(shares.slice(0, 3)).toString()).toBe('test')
    expect(joinShares(shares.slice(2, 5)).toString()).toBe('test')
  })

  test('a share has one byte more than the secret, and no two share an x', () => {
    const shares = splitSecret(randomBytes(32), { shares: 255, threshold: 2 })
    expect(new Set(shares.map((share) => share.at(-1))).size).toBe(255)
    expect(shares.every((share) => share.length === 33 && share.at(-1) !== 0)).toBe(true)
  })
})

describe('the seal', () => {
  test('opens with enough of its own shares, one by one', () => {
    const seal = new Seal()
    const shares = seal.initialize({ shares: 3, threshold: 2 })
    seal.close()
    expect(seal.facts).toMatchObject({ initialized: true, sealed: true, t: 2, n: 3, progress: 0, nonce: '' })
    expect(seal.offer(shares[2]!)).toBe(false)
    expect(seal.offer(shares[2]!)).toBe(false)
    expect(seal.facts.progress).toBe(1)
    expect(seal.offer(shares[0]!)).toBe(true)
    expect(seal.facts).toMatchObject({ sealed: false, progress: 0 })
  })

  test('a share of another ring opens nothing, and the count begins anew', () => {
    const seal = new Seal()
    const shares = seal.initialize({ shares: 3, threshold: 2 })
    seal.close()
    const foreign = new Seal().initialize({ shares: 3, threshold: 2 })
    seal.offer(shares[0]!)
    expect(() => seal.offer(foreign[1]!)).toThrow('invalid key')
    expect(seal.facts).toMatchObject({ sealed: true, progress: 0 })
  })

  test('a new ring opens to the same data key only with its own shares', () => {
    const seal = new Seal()
    const [share] = seal.initialize({ shares: 1, threshold: 1 })
    const dataKey = Buffer.from(seal.dataKey!)
    const later = new Seal(seal.keyring)
    expect(() => later.offer(randomBytes(32))).toThrow('invalid key')
    expect(later.offer(share!)).toBe(true)
    expect(later.dataKey).toEqual(dataKey)
  })

  test.each([
    [0, 0, 'shares must be at least one'],
    [1, 0, 'threshold must be at least one'],
    [3, 1, 'threshold must be greater than one'],
    [2, 3, 'threshold cannot be larger'],
    [256, 2, 'shares must be less than 256'],
  ])('%i shares with a threshold of %i are refused', (shares, threshold, problem) => {
    expect(() => new Seal().initialize({ shares, threshold })).toThrow(problem)
  })
})
