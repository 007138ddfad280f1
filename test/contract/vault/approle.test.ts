import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeAppRole, mountAppRole } from '../../support/app-role.ts'
import { ANY_OF, endsSecretIdsLate } from '../../support/vault-differences.ts'
import { openVaultTarget, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
let mount: string
beforeAll(async () => {
  vault = await openVaultTarget()
  mount = await mountAppRole(vault)
})
afterAll(() => vault[Symbol.asyncDispose]())

const setup = (settings: object = {}) => makeAppRole(vault, mount, settings)

describe('roles', () => {
  test('a role is written, read, changed in part, listed and deleted', async () => {
    const { role, name } = await setup({ secret_id_num_uses: 3, token_period: '30m' })
    await vault.root('POST', role, { token_num_uses: 4 })
    expect((await vault.root('GET', role)).body.data).toMatchObject({
      bind_secret_id: true,
      secret_id_num_uses: 3,
      token_num_uses: 4,
      token_period: 1800,
      token_policies: ['agent'],
      token_ttl: 300,
    })
    expect((await vault.root('LIST', `${mount}/role`)).body.data.keys).toContain(name)
    expect((await vault.root('DELETE', role)).status).toBe(204)
    expect((await vault.root('GET', role)).status).toBe(404)
  })

  test('a role id alone is never enough: some block of addresses must bind it', async () => {
    const { role } = await setup()
    const free = await vault.root('POST', role, { bind_secret_id: false })
    expect([free.status, free.body.errors[0]]).toEqual([
      500,
      '1 error occurred:\n\t* at least one constraint should be enabled on the role\n\n',
    ])
    expect((await vault.root('GET', role)).body.data.bind_secret_id).toBe(true)
    const bound = { bind_secret_id: false, token_bound_cidrs: ['127.0.0.1'] }
    expect((await vault.root('POST', role, bound)).status).toBe(204)
  })

  test('a role id can be chosen', async () => {
    const { role } = await setup()
    const roleId = vault.unique('role-id')
    expect((await vault.root('POST', `${role}/role-id`, { role_id: roleId })).status).toBe(204)
    expect((await vault.root('GET', `${role}/role-id`)).body.data.role_id).toBe(roleId)
  })
})

describe('login', () => {
  test('gives an orphan with the policies of the role and its name', async () => {
    const { secretId, login, name } = await setup()
    const secret = (await secretId({ metadata: '{"host":"h1"}' })).body.data
    const { status, body } = await login(secret.secret_id)
    expect(status).toBe(200)
    expect(body.auth).toMatchObject({
      policies: ['agent', 'default'],
      metadata: { role_name: name, host: 'h1' },
      lease_duration: 300,
      renewable: true,
      orphan: true,
      token_type: 'service',
    })
  })

  test('the default policy can be left out', async () => {
    const { secretId, login } = await setup({ token_no_default_policy: true })
    const { body } = await login((await secretId()).body.data.secret_id)
    expect(body.auth.policies).toEqual(['agent'])
  })

  test('a period holds at the login and at each renewal', async () => {
    const { secretId, login } = await setup({ token_period: '2m' })
    const { auth } = (await login((await secretId()).body.data.secret_id)).body
    expect(auth.lease_duration).toBe(120)
    const renewed = await vault.as(auth.client_token)('POST', 'auth/token/renew-self', { increment: '1h' })
    expect(renewed.body.auth.lease_duration).toBe(120)
  })

  test('wrong and missing ids are 400 in one text each', async () => {
    const { login, roleId } = await setup()
    const wrong = await login('not-the-secret')
    expect([wrong.status, wrong.body.errors[0]]).toEqual([400, 'invalid role or secret ID'])
    const noRole = await vault.as('')('POST', `${mount}/login`, { role_id: 'nobody', secret_id: 'x' })
    expect([noRole.status, noRole.body.errors[0]]).toEqual([400, 'invalid role or secret ID'])
    const noSecret = await vault.as('')('POST', `${mount}/login`, { role_id: roleId })
    expect([noSecret.status, noSecret.body.errors[0]]).toEqual([400, 'missing secret_id'])
    const nothing = await vault.as('')('POST', `${mount}/login`, {})
    expect(ANY_OF.loginWithoutRoleId).toContain(nothing.status)
    // Vault looks up an alias first.
    expect(nothing.body.errors[0]).toMatch(/missing role_id|failed to determine alias name/)
  })
})

describe('secret ids', () => {
  test('a secret id of one use logs in once', async () => {
    const { secretId, login } = await setup({ secret_id_num_uses: 1 })
    const { data } = (await secretId()).body
    expect(data).toMatchObject({ secret_id_num_uses: 1, secret_id_ttl: 0 })
    expect((await login(data.secret_id)).status).toBe(200)
    expect((await login(data.secret_id)).status).toBe(400)
  })

  test.skipIf(endsSecretIdsLate)('a secret id ends with its time', async () => {
    const { secretId, login } = await setup()
    const { data } = (await secretId({ ttl: '1s' })).body
    await expect.poll(async () => (await login(data.secret_id)).status, { timeout: 15_000 }).toBe(400)
  })

  test('none asks for more than its role gives', async () => {
    const { secretId } = await setup({ secret_id_num_uses: 2, secret_id_ttl: '1m' })
    for (const body of [{ num_uses: 3 }, { num_uses: 0 }, { ttl: '2m' }])
      expect((await secretId(body)).status).toBe(400)
    expect((await secretId({ num_uses: 1, ttl: '30s' })).status).toBe(200)
  })

  test('wrapped, it can be destroyed unseen by its accessor', async () => {
    const { role, login } = await setup()
    const wrapped = await vault.root('POST', `${role}/secret-id`, {}, { 'x-vault-wrap-ttl': '60' })
    const info = wrapped.body.wrap_info
    expect(info.creation_path).toBe(`${role}/secret-id`)
    const accessor = { secret_id_accessor: info.wrapped_accessor }
    expect((await vault.root('POST', `${role}/secret-id-accessor/lookup`, accessor)).status).toBe(200)
    expect((await vault.root('POST', `${role}/secret-id-accessor/destroy`, accessor)).status).toBe(204)
    expect((await vault.root('POST', `${role}/secret-id-accessor/lookup`, accessor)).status).toBe(404)
    const { data } = (await vault.as(info.token)('POST', 'sys/wrapping/unwrap')).body
    expect((await login(data.secret_id)).status).toBe(400)
  })

  test('it is looked up, listed and destroyed', async () => {
    const { role, secretId, login } = await setup()
    const { data } = (await secretId({ num_uses: 5 })).body
    const body = { secret_id: data.secret_id }
    expect((await vault.root('POST', `${role}/secret-id/lookup`, body)).body.data).toMatchObject({
      secret_id_accessor: data.secret_id_accessor,
      secret_id_num_uses: 5,
    })
    expect((await vault.root('LIST', `${role}/secret-id`)).body.data.keys).toEqual([data.secret_id_accessor])
    expect((await vault.root('POST', `${role}/secret-id/destroy`, body)).status).toBe(204)
    expect((await vault.root('POST', `${role}/secret-id/lookup`, body)).status).toBe(204)
    expect((await login(data.secret_id)).status).toBe(400)
  })

  test('the secret ids of a deleted role log in no more', async () => {
    const { role, secretId, login } = await setup()
    const { data } = (await secretId()).body
    await vault.root('DELETE', role)
    expect((await login(data.secret_id)).status).toBe(400)
  })
})
