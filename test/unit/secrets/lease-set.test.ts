import { describe, expect, test } from 'vitest'
import {
  LeaseSet,
  type LeaseSetOptions,
  LeasesEndedError,
  SecretDeniedError,
  SecretUnavailableError,
} from '#lib/secrets'
import { settle } from '../../support/turned-clock.ts'
import { secretsWorld } from '../../support/secrets-world.ts'

async function setup(more: Partial<LeaseSetOptions> = {}) {
  const world = secretsWorld()
  const identity = await world.login()
  const options = {
    ...world,
    identity,
    agentType: 'writer',
    timeoutMs: 30_000,
    meta: { request: 'writer.1' },
  }
  const leases = await LeaseSet.open({ ...options, databases: { 'orders-db': 'orders' }, ...more })
  return { ...world, identity, leases }
}

describe('I6 gone: the leases of an attempt', () => {
  test('an attempt that leases nothing costs no call', async () => {
    const { vault, leases } = await setup()
    const before = vault.calls.length
    expect(await leases.end()).toBe(0)
    expect(vault.calls.length).toBe(before)
  })

  test('a leased secret costs a mint, the credentials and one revocation', async () => {
    const { vault, leases } = await setup()
    const before = vault.calls.length
    const [lease, same] = await Promise.all([leases.lease('orders-db'), leases.lease('orders-db')])
    expect(lease.credentials).toEqual({
      user: 'user-3',
      password: 'canary-password-user-3',
      database: 'orders',
    })
    expect(same).toBe(lease)
    expect(await leases.end()).toBe(1)
    expect(vault.calls.slice(before)).toEqual(['createToken', 'dbCreds', 'revokeSelf'])
    expect(vault.users.size).toBe(0)
    expect(vault.metas.at(-1)).toEqual({ request: 'writer.1' })
  })

  test('the token lives a minute longer than the attempt, and bounds the trust in its leases', async () => {
    const { vault, leases } = await setup()
    const lease = await leases.lease('orders-db')
    expect(Math.max(...[...vault.tokens.values()].slice(1).map(({ endsAt }) => endsAt))).toBe(90_000)
    expect(lease.trustedUntil).toBe(89_000)
  })

  test('a refusal because the attempt’s token has ended passes with the next attempt; one by policy does not', async () => {
    const { vault, leases, identity } = await setup()
    vault.fail('dbCreds', { kind: 'denied' })
    await expect(leases.lease('orders-db')).rejects.toThrow(SecretDeniedError)
    await leases.lease('orders-db')
    vault.drop([...vault.tokens.keys()].at(-1)!)
    await expect(leases.lease('another')).rejects.toThrow(SecretUnavailableError)
    expect(identity.lost.aborted).toBe(false)
  })

  test('a slow answer does not extend trust', async () => {
    const { clock, vault, leases } = await setup({ timeoutMs: 600_000 })
    vault.leaseTtlMs = 60_000
    const release = vault.hold('dbCreds')
    const leasing = leases.lease('orders-db')
    await clock.advance(10_000)
    release()
    expect((await leasing).trustedUntil).toBe(59_000)
    await leases.end()
  })

  test('disposal revokes, twice is once, and nothing is leased after it', async () => {
    const { vault, leases } = await setup()
    {
      await using scope = leases
      await scope.lease('orders-db')
    }
    expect(vault.users.size).toBe(0)
    expect(await leases.end()).toBe(1)
    await expect(leases.lease('orders-db')).rejects.toThrow(LeasesEndedError)
    expect(vault.count('revokeSelf')).toBe(1)
  })

  test('a lease call under way at the end is refused, and what it brings is revoked', async () => {
    const { clock, vault, leases } = await setup()
    const release = vault.hold('dbCreds')
    const leasing = leases.lease('orders-db')
    const refused = expect(leasing).rejects.toThrow(LeasesEndedError)
    await settle()
    const ended = leases.end()
    await clock.advance(100)
    release()
    await refused
    expect(await ended).toBe(1)
    expect(vault.users.size).toBe(0)
  })

  test('a mint that hangs past the end is not waited for, and its token is revoked when it comes', async () => {
    const { clock, names, vault, leases } = await setup()
    const release = vault.hold('createToken')
    const refused = expect(leases.lease('orders-db')).rejects.toThrow(LeasesEndedError)
    await settle()
    const ended = leases.end()
    await clock.advance(500)
    expect(await ended).toBe(0)
    release()
    await refused
    await settle()
    expect(vault.count('dbCreds')).toBe(0)
    expect([...vault.tokens.values()].map(({ role }) => role)).toEqual([names.sidecar])
  })

  test('while Vault is away the end takes 2 s, says so, and goes on in the background', async () => {
    const { clock, vault, leases, logged } = await setup()
    await leases.lease('orders-db')
    vault.fail('revokeSelf', ...Array.from({ length: 8 }, () => ({ kind: 'network' as const })))
    const ended = leases.end()
    await clock.advance(2000)
    expect(await ended).toBe(0)
    expect(logged.some((line) => line.includes('leases not revoked yet') && line.includes('writer.1'))).toBe(
      true,
    )
    await clock.advance(30_000)
    expect(vault.users.size).toBe(0)
  })

  test('a revocation that hangs does not hold the end', async () => {
    const { clock, vault, leases } = await setup()
    await leases.lease('orders-db')
    const release = vault.hold('revokeSelf')
    const ended = leases.end()
    await clock.advance(2000)
    expect(await ended).toBe(0)
    release()
    await settle()
    expect(vault.users.size).toBe(0)
  })

  test('an attempt that outlives its lease keeps it, one that does not never renews', async () => {
    const renewed = await setup({ timeoutMs: 600_000 })
    renewed.vault.leaseTtlMs = 60_000
    const first = await renewed.leases.lease('orders-db')
    await renewed.clock.advance(200_000)
    expect(await renewed.leases.lease('orders-db')).toBe(first)
    expect(renewed.vault.count('leaseRenew')).toBe(5)
    await renewed.leases.end()
    await renewed.clock.advance(200_000)
    expect(renewed.vault.count('leaseRenew')).toBe(5)

    const short = await setup()
    short.vault.leaseTtlMs = 100_000
    await short.leases.lease('orders-db')
    await short.clock.advance(80_000)
    expect(short.vault.count('leaseRenew')).toBe(0)
  })

  test('a lease that cannot be renewed runs out, and the next is a new user', async () => {
    const { clock, vault, leases } = await setup({ timeoutMs: 600_000 })
    vault.leaseTtlMs = 60_000
    vault.fail('leaseRenew', ...Array.from({ length: 100 }, () => ({ kind: 'badRequest' as const })))
    const first = await leases.lease('orders-db')
    await clock.advance(60_000)
    expect((await leases.lease('orders-db')).credentials.user).not.toBe(first.credentials.user)
    expect(await leases.end()).toBe(2)
  })

  test('I5 a type that may not lease is refused, and the next try asks Vault again', async () => {
    const { vault, leases, names } = await setup({ agentType: 'reader' })
    await expect(leases.lease('orders-db')).rejects.toThrow(SecretDeniedError)
    vault.allowed.add(`${names.agent('reader')} ${names.credentials('orders-db')}`)
    expect(await leases.lease('orders-db')).toMatchObject({ name: 'orders-db' })
    expect(vault.count('createToken')).toBe(1)
  })

  test('a failed mint does not poison the attempt', async () => {
    const { vault, leases } = await setup()
    vault.fail('createToken', { kind: 'sealed' })
    await expect(leases.lease('orders-db')).rejects.toMatchObject({ name: 'SecretUnavailableError' })
    expect(await leases.lease('orders-db')).toMatchObject({ ttlMs: 300_000 })
  })
})
