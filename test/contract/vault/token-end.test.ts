import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ANY_OF } from '../../support/vault-differences.ts'
import { openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
beforeAll(async () => {
  vault = await openVaultTarget()
})
afterAll(() => vault[Symbol.asyncDispose]())

const isAlive = async (token: string) =>
  (await vault.root('POST', 'auth/token/lookup', { token })).status === 200
const create = (body: object) => vault.root('POST', 'auth/token/create', body)

describe('the end of a token', () => {
  const mayCreate = 'path "auth/token/create" { capabilities = ["update"] }'

  test.each(['revoke', 'revoke-accessor'])('%s ends it and all its descendants', async (route) => {
    const parent = await tokenWith(vault, mayCreate)
    const child = (await parent.call('POST', 'auth/token/create', {})).body.auth
    const grandchild = (await vault.as(child.client_token)('POST', 'auth/token/create', {})).body.auth
    const body = { token: parent.token, accessor: parent.accessor }
    expect((await vault.root('POST', `auth/token/${route}`, body)).status).toBe(204)
    for (const token of [parent.token, child.client_token, grandchild.client_token])
      expect(await isAlive(token)).toBe(false)
  })

  test('revoke-self needs default or a policy, and then 403 follows', async () => {
    const { auth } = (await create({ policies: ['default'] })).body
    expect((await vault.as(auth.client_token)('POST', 'auth/token/revoke-self')).status).toBe(204)
    expect((await vault.as(auth.client_token)('GET', 'auth/token/lookup-self')).status).toBe(403)
  })

  test('an orphan outlives who made it', async () => {
    const maker = await tokenWith(
      vault,
      'path "auth/token/create-orphan" { capabilities = ["update", "sudo"] }',
    )
    const { auth } = (await maker.call('POST', 'auth/token/create-orphan', {})).body
    expect(auth.orphan).toBe(true)
    await vault.root('POST', 'auth/token/revoke', { token: maker.token })
    expect(await isAlive(auth.client_token)).toBe(true)
  })

  test('revoke-prefix of a role ends what the role made', async () => {
    const role = vault.unique('role')
    await vault.root('POST', `auth/token/roles/${role}`, { allowed_policies: ['x'] })
    const { auth } = (await vault.root('POST', `auth/token/create/${role}`, {})).body
    const { status } = await vault.root('PUT', `sys/leases/revoke-prefix/auth/token/create/${role}`, {
      sync: true,
    })
    expect(ANY_OF.revoked).toContain(status)
    expect(await isAlive(auth.client_token)).toBe(false)
  })

  test('the last use ends a counted token, also when it was denied', async () => {
    const { call, token } = await tokenWith(
      vault,
      'path "auth/token/lookup-self" { capabilities = ["read"] }',
      { num_uses: 2 },
    )
    expect((await call('GET', 'auth/token/lookup-self')).status).toBe(200)
    expect((await call('GET', 'some/thing')).status).toBe(403)
    await expect.poll(() => isAlive(token)).toBe(false)
  })

  test('the end of its time ends it', async () => {
    const { token } = await tokenWith(vault, 'path "x" { capabilities = ["read"] }', { ttl: '3s' })
    expect(await isAlive(token)).toBe(true)
    await expect.poll(() => isAlive(token), { timeout: 15_000 }).toBe(false)
  })

  test('what is unknown is no error to revoke', async () => {
    expect((await vault.root('POST', 'auth/token/revoke', { token: 'hvs.nobody' })).status).toBe(204)
    const { status } = await vault.root('POST', 'auth/token/revoke-accessor', { accessor: 'nobody' })
    expect(ANY_OF.revokedAccessorOfNobody).toContain(status)
  })
})
