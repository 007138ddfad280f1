import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeAppRole, mountAppRole } from '../../support/app-role.ts'
import { openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
beforeAll(async () => {
  vault = await openVaultTarget()
})
afterAll(() => vault[Symbol.asyncDispose]())

const create = (body: object) =>
  vault.root('POST', 'auth/token/create', { type: 'batch', policies: ['default'], ttl: '5m', ...body })
const LOOKUP = 'path "auth/token/lookup-self" { capabilities = ["read"] }'

describe('a batch token', () => {
  test('has no accessor, is not renewable, and says what it is', async () => {
    const { auth } = (await create({ meta: { job: 'j1' }, display_name: 'b' })).body
    expect(auth).toMatchObject({
      accessor: '',
      renewable: false,
      lease_duration: 300,
      token_type: 'batch',
      policies: ['default'],
      metadata: { job: 'j1' },
      orphan: false,
    })
    const { data } = (await vault.as(auth.client_token)('GET', 'auth/token/lookup-self')).body
    expect(data).toMatchObject({
      accessor: '',
      type: 'batch',
      renewable: false,
      creation_ttl: 300,
      display_name: 'token-b',
      num_uses: 0,
    })
    expect(data.ttl).toBeGreaterThan(290)
  })

  test('is judged by its policies as any other', async () => {
    const { policy } = await tokenWith(vault, LOOKUP)
    const call = vault.as(
      (await create({ policies: [policy], no_default_policy: true })).body.auth.client_token,
    )
    expect((await call('GET', 'auth/token/lookup-self')).status).toBe(200)
    expect((await call('GET', 'sys/mounts')).status).toBe(403)
  })

  test('is neither renewed, revoked, nor a parent', async () => {
    const { policy } = await tokenWith(
      vault,
      `path "auth/token/*" { capabilities = ["create", "read", "update", "sudo"] }`,
    )
    const { client_token: token } = (await create({ policies: [policy] })).body.auth
    const call = vault.as(token)
    const text = async (path: string, body: object = {}) => {
      const answer = await call('POST', `auth/token/${path}`, body)
      return [answer.status, answer.body.errors[0]]
    }
    expect(await text('renew-self')).toEqual([400, 'batch tokens cannot be renewed'])
    expect(await text('revoke-self')).toEqual([400, 'batch tokens cannot be revoked'])
    expect(await text('create')).toEqual([400, 'batch tokens cannot create more tokens'])
    const byRoot = await vault.root('POST', 'auth/token/revoke', { token })
    expect([byRoot.status, byRoot.body.errors[0]]).toEqual([400, 'batch tokens cannot be revoked'])
  })

  test.each([
    ['num_uses', 3],
    ['explicit_max_ttl', '10m'],
    ['period', '10m'],
  ])('cannot have %s', async (name, value) => {
    const { status, body } = await create({ [name]: value })
    expect([status, body.errors[0]]).toEqual([400, `batch tokens cannot have "${name}" set`])
  })

  test('cannot be root', async () => {
    const { status, body } = await create({ policies: ['root'] })
    expect([status, body.errors[0]]).toEqual([400, 'batch tokens cannot be root tokens'])
  })

  test('ends with its time', async () => {
    const { auth } = (await create({ ttl: '3s' })).body
    const alive = async () => (await vault.as(auth.client_token)('GET', 'auth/token/lookup-self')).status
    expect(await alive()).toBe(200)
    await expect.poll(alive, { timeout: 15_000 }).toBe(403)
  })

  test('ends with its parent, unless it is an orphan', async () => {
    const parent = await tokenWith(
      vault,
      `path "auth/token/create" { capabilities = ["update", "sudo"] }\n${LOOKUP}`,
    )
    const made = async (body: object) =>
      (await parent.call('POST', 'auth/token/create', { type: 'batch', ttl: '5m', ...body })).body.auth
    const child = await made({})
    const orphan = await made({ no_parent: true })
    await vault.root('POST', 'auth/token/revoke', { token: parent.token })
    const lookup = async (token: string) => (await vault.as(token)('GET', 'auth/token/lookup-self')).status
    expect(await lookup(child.client_token)).toBe(403)
    expect(await lookup(orphan.client_token)).toBe(200)
  })

  test('a changed one is none', async () => {
    const { auth } = (await create({})).body
    const token: string = auth.client_token
    const other = token.at(-8) === 'A' ? 'B' : 'A'
    const changed = `${token.slice(0, -8)}${other}${token.slice(-7)}`
    expect((await vault.as(changed)('GET', 'auth/token/lookup-self')).status).toBe(403)
  })
})

describe('roles', () => {
  test('a token role can make batch tokens always, or where the call does not say', async () => {
    const role = vault.unique('role')
    const refused = await vault.root('POST', `auth/token/roles/${role}`, { token_type: 'batch' })
    expect(refused.status).toBe(400)
    expect(refused.body.errors[0]).toMatch(/^'token_type' cannot be 'batch' when role is set to generate/)
    const settings = { allowed_policies: ['default'], orphan: true, renewable: false }
    await vault.root('POST', `auth/token/roles/${role}`, { ...settings, token_type: 'batch' })
    const make = async (body: object) =>
      (await vault.root('POST', `auth/token/create/${role}`, { ttl: '1m', ...body })).body.auth.token_type
    expect(await make({ type: 'service' })).toBe('batch')
    await vault.root('POST', `auth/token/roles/${role}`, { ...settings, token_type: 'default-batch' })
    expect(await make({})).toBe('batch')
    expect(await make({ type: 'service' })).toBe('service')
  })

  test('an AppRole can make batch tokens', async () => {
    const mount = await mountAppRole(vault)
    const { secretId, login } = await makeAppRole(vault, mount, { token_type: 'batch' })
    const { auth } = (await login((await secretId()).body.data.secret_id)).body
    expect(auth).toMatchObject({ token_type: 'batch', renewable: false, accessor: '', orphan: true })
  })
})
