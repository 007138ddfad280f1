import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ANY_OF } from '../../support/vault-differences.ts'
import { openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
beforeAll(async () => {
  vault = await openVaultTarget()
})
afterAll(() => vault[Symbol.asyncDispose]())

const create = (body: object) => vault.root('POST', 'auth/token/create', body)

describe('create', () => {
  test('gives a token as auth, with default added and unknown policies warned of', async () => {
    const name = vault.unique('none')
    const { status, body } = await create({
      policies: [name],
      ttl: '5m',
      meta: { job: 'j1' },
      display_name: 'a b/c',
      num_uses: 7,
    })
    expect(status).toBe(200)
    expect(body.warnings).toContain(`Policy "${name}" does not exist`)
    expect(body.auth).toMatchObject({
      client_token: expect.any(String),
      accessor: expect.any(String),
      policies: ['default', name],
      token_policies: ['default', name],
      metadata: { job: 'j1' },
      lease_duration: 300,
      renewable: true,
      entity_id: '',
      token_type: 'service',
      orphan: false,
      num_uses: 7,
    })
    const { data } = (await vault.root('POST', 'auth/token/lookup', { token: body.auth.client_token })).body
    expect(data.display_name).toBe('token-a-b-c')
  })

  test('a child has no more policies than its parent, without sudo', async () => {
    const { call, policy } = await tokenWith(vault, 'path "auth/token/create" { capabilities = ["update"] }')
    const more = await call('POST', 'auth/token/create', { policies: [policy, 'other'] })
    expect([more.status, more.body.errors[0]]).toEqual([400, 'child policies must be subset of parent'])
    const same = await call('POST', 'auth/token/create', {})
    expect(same.body.auth.policies).toEqual([policy])
    const root = await call('POST', 'auth/token/create', { policies: ['root'] })
    expect(root.status).toBe(400)
    for (const body of [{ period: '5m' }, { id: vault.unique('id') }, { no_parent: true }])
      expect((await call('POST', 'auth/token/create', body)).body.errors[0]).toMatch(
        /^root or sudo privileges/,
      )
  })

  test('policies in one string are one name', async () => {
    const { body } = await create({ policies: 'x,y', ttl: '1m' })
    expect(body.auth.policies).toEqual(['default', 'x,y'])
  })

  test('a counted token makes no children', async () => {
    const { call } = await tokenWith(vault, 'path "auth/token/create" { capabilities = ["update"] }', {
      num_uses: 5,
    })
    const { status, body } = await call('POST', 'auth/token/create', {})
    expect([status, body.errors[0]]).toEqual([400, 'restricted use token cannot generate child tokens'])
  })

  test('the maximum caps the time to live, with a warning', async () => {
    const { body } = await create({ policies: ['default'], ttl: '1h', explicit_max_ttl: '10m' })
    expect(body.auth.lease_duration).toBe(600)
    expect(body.warnings[0]).toMatch(/^TTL of "1h.*" exceeded the effective max_ttl of "10m.*"/)
  })
})

describe('roles', () => {
  test('a role is written, read, listed, deleted; an unknown one is 400 to create with', async () => {
    const name = vault.unique('role')
    const role = {
      allowed_policies: ['p1', 'p2'],
      token_explicit_max_ttl: 600,
      renewable: false,
      orphan: false,
    }
    expect((await vault.root('POST', `auth/token/roles/${name}`, role)).status).toBe(204)
    expect((await vault.root('GET', `auth/token/roles/${name}`)).body.data).toMatchObject({ name, ...role })
    expect((await vault.root('LIST', 'auth/token/roles')).body.data.keys).toContain(name)
    expect((await vault.root('DELETE', `auth/token/roles/${name}`)).status).toBe(204)
    expect((await vault.root('GET', `auth/token/roles/${name}`)).status).toBe(404)
    const { status, body } = await vault.root('POST', `auth/token/create/${name}`, {})
    expect([status, body.errors[0]]).toEqual([400, `unknown role ${name}`])
  })

  test('through a role a caller mints policies that it does not hold, and those alone', async () => {
    const role = vault.unique('role')
    await vault.root('POST', `auth/token/roles/${role}`, {
      allowed_policies: ['agent-a'],
      token_no_default_policy: true,
      renewable: false,
    })
    const { call } = await tokenWith(vault, `path "auth/token/create/${role}" { capabilities = ["update"] }`)
    const { body } = await call('POST', `auth/token/create/${role}`, { ttl: '1m' })
    expect(body.auth).toMatchObject({
      policies: ['agent-a'],
      renewable: false,
      orphan: false,
      lease_duration: 60,
    })
    const more = await call('POST', `auth/token/create/${role}`, { policies: ['agent-a', 'root'] })
    expect(more.status).toBe(400)
    expect(more.body.errors[0]).toContain("must be subset of the role's allowed policies")
    expect((await call('POST', 'auth/token/create', {})).status).toBe(403)
  })

  test('the role is in the look-up and in the path; the lesser maximum wins', async () => {
    const role = vault.unique('role')
    await vault.root('POST', `auth/token/roles/${role}`, {
      allowed_policies: ['x'],
      path_suffix: 'gen1',
      token_explicit_max_ttl: '2m',
      token_num_uses: 3,
    })
    const { auth } = (await vault.root('POST', `auth/token/create/${role}`, { ttl: '1h', num_uses: 9 })).body
    expect(auth).toMatchObject({ lease_duration: 120, num_uses: 3 })
    const { data } = (await vault.root('POST', 'auth/token/lookup', { token: auth.client_token })).body
    expect(data).toMatchObject({ role, path: `auth/token/create/${role}/gen1` })
  })

  test('glob and disallowed lists decide', async () => {
    const role = vault.unique('role')
    await vault.root('POST', `auth/token/roles/${role}`, {
      allowed_policies_glob: ['team-*'],
      disallowed_policies: ['team-admin'],
    })
    const make = (policies: string[]) => vault.root('POST', `auth/token/create/${role}`, { policies })
    expect((await make(['team-a'])).body.auth.policies).toEqual(['default', 'team-a'])
    expect((await make(['team-admin'])).body.errors[0]).toBe(
      'token policy "team-admin" is disallowed by this role',
    )
    expect((await make(['other'])).status).toBe(400)
  })
})

describe('look-up', () => {
  test('self, by token and by accessor tell the same, and never the token by accessor', async () => {
    const { token, accessor } = await tokenWith(vault, 'path "x" { capabilities = ["read"] }', {
      no_default_policy: false,
    })
    const self = (await vault.as(token)('GET', 'auth/token/lookup-self')).body.data
    expect(self).toMatchObject({ id: token, accessor, orphan: false, type: 'service', creation_ttl: 600 })
    expect(self.ttl).toBeGreaterThan(590)
    const byAccessor = (await vault.root('POST', 'auth/token/lookup-accessor', { accessor })).body.data
    expect({ ...byAccessor, ttl: 0 }).toEqual({ ...self, ttl: 0, id: '' })
  })

  test('a bad token is 403, a bad accessor is refused', async () => {
    const bad = await vault.root('POST', 'auth/token/lookup', { token: 'hvs.nobody' })
    expect([bad.status, bad.body.errors[0]]).toEqual([403, 'bad token'])
    const { status, body } = await vault.root('POST', 'auth/token/lookup-accessor', { accessor: 'nobody' })
    expect(ANY_OF.accessorOfNobody).toContain(status)
    expect(body.errors[0]).toContain('invalid accessor')
  })
})

describe('renewal', () => {
  test('an increment counts from now and may shorten', async () => {
    const { token } = await tokenWith(vault, 'path "x" { capabilities = ["read"] }')
    const { body } = await vault.root('POST', 'auth/token/renew', { token, increment: 120 })
    expect(body.auth).toMatchObject({ client_token: token, lease_duration: 120, renewable: true })
  })

  test('the accessor form renews and hides the token', async () => {
    const { accessor } = await tokenWith(vault, 'path "x" { capabilities = ["read"] }')
    const { status, body } = await vault.root('POST', 'auth/token/renew-accessor', {
      accessor,
      increment: '90s',
    })
    expect(status).toBe(200)
    expect(body.auth).toMatchObject({ client_token: '', lease_duration: 90 })
  })

  test('a token that is not renewable is refused', async () => {
    const { token } = await tokenWith(vault, 'path "x" { capabilities = ["read"] }', { renewable: false })
    const { status, body } = await vault.root('POST', 'auth/token/renew', { token })
    expect([status, body.errors[0]]).toEqual([400, 'lease is not renewable'])
  })

  test('a periodic token gets its period at each renewal', async () => {
    const { auth } = (await create({ policies: ['default'], period: '3m' })).body
    const { body } = await vault.as(auth.client_token)('POST', 'auth/token/renew-self', { increment: '1h' })
    expect(body.auth.lease_duration).toBe(180)
  })
})
