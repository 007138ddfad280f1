import { describe, expect, test } from 'vitest'
import { IdentityLostError, kubernetesLogin, SecretIdRefusedError, tokenLogin } from '#lib/secrets'
import { settle } from '../../support/turned-clock.ts'
import { secretsWorld } from '../../support/secrets-world.ts'

const MINUTE = 60_000
const never = { signal: new AbortController().signal }

describe('login with a wrapped secret-id', () => {
  test('a wrapping token made elsewhere is refused before it is unwrapped', async () => {
    const { vault, login } = secretsWorld()
    vault.creationPath = 'auth/approle/role/someone-else/secret-id'
    await expect(login()).rejects.toThrow(SecretIdRefusedError)
    expect(vault.calls).toEqual(['wrapLookup'])
  })

  test('a wrapping token that was used is refused, and said to be stolen', async () => {
    const { login } = secretsWorld()
    await using _identity = await login()
    await expect(login()).rejects.toThrow(/used already.*stolen/)
  })

  test('a Vault that does not answer is no refusal', async () => {
    const { vault, login } = secretsWorld()
    vault.fail('wrapLookup', { kind: 'network' })
    await expect(login()).rejects.toMatchObject({ kind: 'network' })
  })
})

describe('the sidecar keeps its own token', () => {
  test('it is renewed at two thirds of its TTL, for as long as it runs', async () => {
    const { clock, vault, login } = secretsWorld()
    await using identity = await login()
    await clock.advance(20 * MINUTE - 1)
    expect(vault.count('renewSelf')).toBe(0)
    await clock.advance(1)
    expect(identity.trustedUntil).toBe(50 * MINUTE - 1000)
    await clock.advance(24 * 60 * MINUTE)
    expect(vault.count('renewSelf')).toBe(73)
    expect(identity.lost.aborted).toBe(false)
  })

  test('the jitter only ever renews earlier, by a tenth at most', async () => {
    const { clock, vault, login } = secretsWorld()
    await using _identity = await login({ random: () => 0.999 })
    await clock.advance(18 * MINUTE - 1)
    expect(vault.count('renewSelf')).toBe(0)
    await clock.advance(2000)
    expect(vault.count('renewSelf')).toBe(1)
  })

  test('a TTL of 32 days makes no storm of renewals', async () => {
    const { clock, vault, login } = secretsWorld()
    vault.ownTtlMs = 32 * 24 * 60 * MINUTE
    await using _identity = await login()
    await clock.advance(21 * 24 * 60 * MINUTE)
    expect(vault.count('renewSelf')).toBe(0)
  })

  test('a slow renewal does not extend trust', async () => {
    const { clock, vault, login } = secretsWorld()
    await using identity = await login()
    const release = vault.hold('renewSelf')
    await clock.advance(20 * MINUTE)
    await clock.advance(30_000)
    release()
    await settle()
    expect(identity.trustedUntil).toBe(50 * MINUTE - 1000)
  })

  test('after failures it is renewed as soon as Vault is back', async () => {
    const { clock, vault, login } = secretsWorld()
    await using identity = await login()
    vault.fail('renewSelf', { kind: 'sealed' }, { kind: 'timeout' }, { kind: 'network' })
    await clock.advance(20 * MINUTE + 7000)
    expect(vault.count('renewSelf')).toBe(4)
    expect(identity.trustedUntil).toBe(50 * MINUTE + 7000 - 1000)
  })

  test('when its trust runs out it is lost: loudly, and minting is refused', async () => {
    const { clock, vault, logged, login } = secretsWorld()
    await using identity = await login()
    vault.fail('renewSelf', ...Array.from({ length: 1000 }, () => ({ kind: 'network' as const })))
    await clock.advance(30 * MINUTE)
    expect(identity.lost.reason).toBeInstanceOf(IdentityLostError)
    expect(logged.at(-1)).toContain('a new login needs a new start')
    await expect(identity.mint('writer', { ttlMs: 1000 })).rejects.toThrow(IdentityLostError)
    expect(clock.sleeping).toBe(0)
  })

  test('a token that someone revoked is lost at the second refusal', async () => {
    const { clock, vault, login } = secretsWorld()
    await using identity = await login()
    vault.drop([...vault.tokens.keys()][0]!)
    await clock.advance(20 * MINUTE)
    expect(identity.lost.aborted).toBe(false)
    await clock.advance(1000)
    expect(identity.lost.aborted).toBe(true)
  })

  test('a token that has ended is told from a policy at the first refused call, and lost a second later', async () => {
    const { clock, vault, login } = secretsWorld()
    await using identity = await login()
    const child = await identity.mint('writer', { ttlMs: MINUTE })
    vault.drop([...vault.tokens.keys()][0]!)
    await expect(identity.mint('writer', { ttlMs: MINUTE })).rejects.toThrow(IdentityLostError)
    await expect(identity.isGone(child)).rejects.toThrow(IdentityLostError)
    expect(identity.lost.aborted).toBe(false)
    await clock.advance(1000)
    expect(identity.lost.aborted).toBe(true)
  })

  test('a refusal by policy is told as such: the token is renewed and lives on', async () => {
    const { clock, vault, login } = secretsWorld()
    await using identity = await login()
    vault.fail('createToken', { kind: 'denied' }, { kind: 'denied' })
    const mints = [1, 2].map(() => identity.mint('writer', { ttlMs: MINUTE }))
    for (const mint of await Promise.allSettled(mints))
      expect(mint).toMatchObject({ reason: { kind: 'denied' } })
    expect(vault.count('renewSelf')).toBe(1)
    await clock.advance(10 * MINUTE)
    expect(identity.lost.aborted).toBe(false)
    await identity.mint('writer', { ttlMs: MINUTE })
  })

  test('disposal ends its token, everything minted from it, and its loop, also within a hanging renewal', async () => {
    const { clock, vault, login } = secretsWorld()
    const identity = await login()
    await identity.mint('writer', { ttlMs: MINUTE })
    vault.hold('renewSelf')
    await clock.advance(20 * MINUTE)
    await identity[Symbol.asyncDispose]()
    await identity[Symbol.asyncDispose]()
    expect(vault.tokens.size).toBe(0)
    expect(clock.sleeping).toBe(0)
    await expect(identity.mint('writer', { ttlMs: 1 })).rejects.toThrow(IdentityLostError)
  })
})

describe('I6 gone: revoking a minted token', () => {
  test('costs one call when Vault answers', async () => {
    const { vault, login } = secretsWorld()
    await using identity = await login()
    const child = await identity.mint('writer', { ttlMs: MINUTE })
    const before = vault.calls.length
    expect(await identity.revoke(child, never.signal)).toBe(true)
    expect(vault.calls.slice(before)).toEqual(['revokeSelf'])
    expect(await identity.isGone(child)).toBe(true)
  })

  test('is repeated until Vault is back', async () => {
    const { clock, vault, login } = secretsWorld()
    await using identity = await login()
    const child = await identity.mint('writer', { ttlMs: MINUTE })
    vault.fail('revokeSelf', { kind: 'network' }, { kind: 'sealed' })
    const revoked = identity.revoke(child, never.signal)
    await clock.advance(300)
    expect(await revoked).toBe(true)
    expect(vault.tokens.size).toBe(1)
  })

  test('that succeeded with its answer lost is confirmed by the accessor', async () => {
    const { clock, vault, login } = secretsWorld()
    await using identity = await login()
    const child = await identity.mint('writer', { ttlMs: MINUTE })
    vault.fail('revokeSelf', { kind: 'timeout', done: true })
    const revoked = identity.revoke(child, never.signal)
    await clock.advance(100)
    expect(await revoked).toBe(true)
    expect(vault.calls.slice(-2)).toEqual(['revokeSelf', 'lookupAccessor'])
  })

  test('by the accessor, when the token itself is refused and still lives', async () => {
    const { vault, login } = secretsWorld()
    await using identity = await login()
    const child = await identity.mint('writer', { ttlMs: MINUTE })
    vault.fail('revokeSelf', { kind: 'denied' })
    expect(await identity.revoke(child, never.signal)).toBe(true)
    expect(vault.tokens.size).toBe(1)
  })

  test('stops when the TTL has ended it, and when told to', async () => {
    const { clock, vault, login } = secretsWorld()
    await using identity = await login()
    vault.fail('revokeSelf', ...Array.from({ length: 1000 }, () => ({ kind: 'network' as const })))
    const stop = new AbortController()
    const cut = identity.revoke(await identity.mint('writer', { ttlMs: MINUTE }), stop.signal)
    const patient = identity.revoke(await identity.mint('writer', { ttlMs: MINUTE }), never.signal)
    await clock.advance(5000)
    stop.abort()
    expect(await cut).toBe(false)
    await clock.advance(MINUTE + 10_000)
    expect(await patient).toBe(true)
  })
})

describe('a sidecar ends what the one before it has left', () => {
  test('the token of one that was killed goes, with all that was minted from it', async () => {
    const { vault, login } = secretsWorld()
    const killed = await login()
    await killed.mint('writer', { ttlMs: MINUTE })
    vault.rewrap()
    await using next = await login()
    expect(await next.endPredecessor(killed.accessor)).toBe('ended')
    expect([...vault.tokens.values()].map(({ accessor }) => accessor)).toEqual([next.accessor])
    expect(await next.endPredecessor(killed.accessor)).toBe('gone')
  })

  test('a token of another role is left alone, whatever its accessor is called', async () => {
    const { vault, login } = secretsWorld()
    await using identity = await login()
    const child = await identity.mint('writer', { ttlMs: MINUTE })
    expect(await identity.endPredecessor(child.accessor)).toBe('not-ours')
    expect(vault.count('revokeAccessor')).toBe(0)
  })
})

describe('other ways to log in', () => {
  test('by the service account of a pod, read anew at each login', async () => {
    const { vault, login } = secretsWorld()
    let jwt = 'canary-jwt'
    const kubernetes = kubernetesLogin({ vault, role: 'sidecar', mount: 'kubernetes', jwt: () => jwt })
    await using identity = await login({ login: kubernetes })
    expect(await identity.mint('writer', { ttlMs: MINUTE })).toMatchObject({ agentType: 'writer' })
    jwt = 'an old one'
    await expect(login({ login: kubernetes })).rejects.toMatchObject({ kind: 'denied' })
  })

  test('a token that another program keeps is used and renewed, and lives on without us', async () => {
    const { vault, login, clock } = secretsWorld()
    const owner = await login()
    const [[token] = []] = vault.tokens
    const identity = await login({ login: tokenLogin(vault, () => token!) })
    expect(identity.accessor).toBe(owner.accessor)
    await clock.advance(20 * MINUTE)
    await identity[Symbol.asyncDispose]()
    expect(vault.tokens.has(token!)).toBe(true)
    await owner[Symbol.asyncDispose]()
    expect(vault.tokens.size).toBe(0)
  })
})
