import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeAppRole, mountAppRole } from '../../support/app-role.ts'
import { ANY_OF } from '../../support/vault-differences.ts'
import { openVaultTarget, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
let mount: string
beforeAll(async () => {
  vault = await openVaultTarget()
  mount = await mountAppRole(vault)
})
afterAll(() => vault[Symbol.asyncDispose]())

const setup = (settings: object = {}) => makeAppRole(vault, mount, settings)

describe('fields of a role, one by one', () => {
  test.each([
    ['policies', 'token_policies', ['a', 'b'], []],
    ['bind-secret-id', 'bind_secret_id', false, true],
    ['secret-id-num-uses', 'secret_id_num_uses', 7, 0],
    ['secret-id-ttl', 'secret_id_ttl', 600, 0],
    ['period', 'token_period', 300, 0],
    ['token-num-uses', 'token_num_uses', 3, 0],
    ['token-ttl', 'token_ttl', 120, 0],
    ['token-max-ttl', 'token_max_ttl', 900, 0],
    ['token-bound-cidrs', 'token_bound_cidrs', ['127.0.0.0/8'], []],
  ])('%s is read, written and reset', async (route, field, value, empty) => {
    const { role } = await setup({ secret_id_bound_cidrs: ['127.0.0.0/8'] })
    const read = async () => (await vault.root('GET', `${role}/${route}`)).body.data[field]
    expect((await vault.root('POST', `${role}/${route}`, { [field]: value })).status).toBe(204)
    expect(await read()).toEqual(value)
    expect((await vault.root('GET', role)).body.data[field]).toEqual(value)
    expect((await vault.root('DELETE', `${role}/${route}`)).status).toBe(204)
    expect((await read()) ?? empty).toEqual(empty)
    const { status } = await vault.root('POST', `${role}/${route}`, {})
    expect(status).toBe(route === 'token-bound-cidrs' ? status : 400)
  })

  test('the blocks of a secret id are read, written and reset', async () => {
    const { role } = await setup()
    const blocks = { secret_id_bound_cidrs: ['10.0.0.0/8'] }
    expect((await vault.root('POST', `${role}/secret-id-bound-cidrs`, blocks)).status).toBe(204)
    expect((await vault.root('GET', `${role}/secret-id-bound-cidrs`)).body.data).toEqual(blocks)
    expect((await vault.root('DELETE', `${role}/secret-id-bound-cidrs`)).status).toBe(204)
    expect(
      (await vault.root('GET', `${role}/secret-id-bound-cidrs`)).body.data.secret_id_bound_cidrs ?? [],
    ).toEqual([])
  })

  test('fields of an unknown role are 404', async () => {
    expect((await vault.root('GET', `${mount}/role/nobody/policies`)).status).toBe(404)
    const { status, body } = await vault.root('POST', `${mount}/role/nobody/secret-id`, {})
    expect([status, body.errors[0]]).toEqual([404, 'role "nobody" does not exist'])
  })
})

describe('secret ids of the caller', () => {
  test('a chosen secret id logs in', async () => {
    const { role, login } = await setup()
    const secret = vault.unique('secret')
    const { data } = (await vault.root('POST', `${role}/custom-secret-id`, { secret_id: secret })).body
    expect(data).toMatchObject({ secret_id: secret, secret_id_accessor: expect.any(String) })
    expect((await login(secret)).status).toBe(200)
    const none = await vault.root('POST', `${role}/custom-secret-id`, {})
    expect([none.status, none.body.errors[0]]).toEqual([400, 'missing secret_id'])
  })

  test('a role without secret ids logs in by its role id alone', async () => {
    const { roleId, role } = await setup({
      bind_secret_id: false,
      secret_id_bound_cidrs: ['127.0.0.0/8', '::1/128'],
    })
    const { status, body } = await vault.as('')('POST', `${mount}/login`, { role_id: roleId })
    expect([status, body.auth?.metadata.role_name]).toEqual([200, role.split('/').at(-1)])
  })

  test('a tidy is accepted', async () => {
    expect((await vault.root('POST', `${mount}/tidy/secret-id`)).status).toBe(202)
  })
})

describe('source addresses', () => {
  test('a login from elsewhere is refused, by the role and by the secret id', async () => {
    const elsewhere = await setup({ secret_id_bound_cidrs: ['10.1.2.0/24'] })
    const byRole = await elsewhere.login((await elsewhere.secretId()).body.data.secret_id)
    expect(ANY_OF.refusedBlocks).toContain(byRole.status)
    expect(byRole.body.errors[0]).toMatch(/^source address "127.0.0.1" unauthorized/)
    const here = await setup()
    const bound = await here.secretId({ cidr_list: ['10.1.2.3/32'] })
    const bySecret = await here.login(bound.body.data.secret_id)
    expect(bySecret.body.errors[0]).toMatch(/^source address "127.0.0.1" unauthorized/)
  })

  test('a secret id cannot widen the blocks of its role', async () => {
    const { secretId } = await setup({ secret_id_bound_cidrs: ['127.0.0.0/16'] })
    expect(ANY_OF.refusedBlocks).toContain((await secretId({ cidr_list: ['127.0.0.0/8'] })).status)
    expect((await secretId({ cidr_list: ['127.0.0.1/32'] })).status).toBe(200)
  })

  test('a token is used from its own addresses alone', async () => {
    const elsewhere = await setup({ token_bound_cidrs: ['10.1.2.0/24'] })
    const { auth } = (await elsewhere.login((await elsewhere.secretId()).body.data.secret_id)).body
    const { status } = await vault.as(auth.client_token)('GET', 'auth/token/lookup-self')
    expect(status).toBe(403)
    const here = await setup({ token_bound_cidrs: ['127.0.0.1'] })
    const allowed = (await here.login((await here.secretId()).body.data.secret_id)).body.auth
    expect((await vault.as(allowed.client_token)('GET', 'auth/token/lookup-self')).status).toBe(200)
  })
})

describe('lockout', () => {
  test('five wrong secret ids of one role lock it, the right one included, and no other role', async () => {
    const { login, secretId } = await setup()
    const other = await setup()
    const right = (await secretId()).body.data.secret_id
    for (let times = 0; times < 5; times++) expect((await login('wrong')).status).toBe(400)
    for (const secret of ['wrong', right]) {
      const { status, body } = await login(secret)
      expect(status).toBe(403)
      expect(body.errors[0]).toContain('permission denied')
    }
    expect((await other.login((await other.secretId()).body.data.secret_id)).status).toBe(200)
  })

  test('a login in between forgets the wrong ones', async () => {
    const { login, secretId } = await setup()
    const right = (await secretId()).body.data.secret_id
    for (let round = 0; round < 2; round++) {
      for (let times = 0; times < 4; times++) expect((await login('wrong')).status).toBe(400)
      expect((await login(right)).status).toBe(200)
    }
  })
})
