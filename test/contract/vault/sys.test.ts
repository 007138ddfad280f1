import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeAppRole, mountAppRole } from '../../support/app-role.ts'
import { ANY_OF } from '../../support/vault-differences.ts'
import { mountKv, openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
beforeAll(async () => {
  vault = await openVaultTarget()
})
afterAll(() => vault[Symbol.asyncDispose]())

describe('status', () => {
  test('health needs no token and is no envelope', async () => {
    const { status, body } = await vault.as('')('GET', 'sys/health')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      initialized: true,
      sealed: false,
      standby: false,
      version: expect.any(String),
    })
    expect(body).not.toHaveProperty('request_id')
    expect((await vault.as('')('HEAD', 'sys/health')).status).toBe(200)
    expect((await vault.as('')('GET', 'sys/health?activecode=299')).status).toBe(299)
  })

  test('seal-status says that it is open', async () => {
    const { body } = await vault.as('')('GET', 'sys/seal-status')
    expect(body).toMatchObject({
      initialized: true,
      sealed: false,
      t: expect.any(Number),
      n: expect.any(Number),
    })
  })
})

describe('mounts', () => {
  test('an engine comes, is listed on both levels, and goes', async () => {
    const name = vault.unique('mount')
    expect(
      (await vault.root('POST', `sys/mounts/${name}`, { type: 'kv', options: { version: '2' } })).status,
    ).toBe(204)
    const { body } = await vault.root('GET', 'sys/mounts')
    expect(body.data[`${name}/`]).toMatchObject({ type: 'kv', options: { version: '2' } })
    expect(body[`${name}/`]).toEqual(body.data[`${name}/`])
    expect((await vault.root('DELETE', `sys/mounts/${name}`)).status).toBe(204)
    expect((await vault.root('GET', `${name}/data/a`)).status).toBe(404)
  })

  test('kv-v2 is another name of kv with version 2', async () => {
    const name = vault.unique('mount')
    await vault.root('POST', `sys/mounts/${name}`, { type: 'kv-v2' })
    const { body } = await vault.root('GET', 'sys/mounts')
    expect(body.data[`${name}/`]).toMatchObject({ type: 'kv', options: { version: '2' } })
  })

  test('a place in use and an unknown engine are 400', async () => {
    const name = vault.unique('mount')
    await vault.root('POST', `sys/mounts/${name}`, { type: 'kv-v2' })
    const taken = await vault.root('POST', `sys/mounts/${name}`, { type: 'kv-v2' })
    expect([taken.status, taken.body.errors[0]]).toEqual([400, `path is already in use at ${name}/`])
    expect((await vault.root('POST', `sys/mounts/${name}2`, { type: 'no-such-engine' })).status).toBe(400)
  })

  test('a mount is tuned, and its times count as the system’s do', async () => {
    const name = vault.unique('mount')
    const config = { default_lease_ttl: '5m', max_lease_ttl: '10m' }
    await vault.root('POST', `sys/mounts/${name}`, { type: 'kv-v2', description: 'one', config })
    expect((await vault.root('GET', 'sys/mounts')).body.data[`${name}/`]).toMatchObject({
      description: 'one',
      config: { default_lease_ttl: 300, max_lease_ttl: 600 },
    })
    const tune = (body: object) => vault.root('POST', `sys/mounts/${name}/tune`, body)
    expect((await tune({ max_lease_ttl: '20m', description: 'two' })).status).toBe(204)
    expect((await vault.root('GET', `sys/mounts/${name}/tune`)).body.data).toMatchObject({
      default_lease_ttl: 300,
      max_lease_ttl: 1200,
      description: 'two',
    })
    expect((await tune({ default_lease_ttl: '30m' })).status).toBe(400)
    const { data } = (await vault.root('GET', `sys/mounts/${await mountKv(vault)}/tune`)).body
    expect(data).toMatchObject({ default_lease_ttl: 2_764_800, max_lease_ttl: 2_764_800 })
  })

  test('the times of an auth method bound its tokens', async () => {
    const mount = await mountAppRole(vault)
    await vault.root('POST', `sys/${mount}/tune`, { default_lease_ttl: '2m', max_lease_ttl: '4m' })
    const short = await makeAppRole(vault, mount, { token_ttl: 0 })
    const first = await short.login((await short.secretId()).body.data.secret_id)
    expect(first.body.auth.lease_duration).toBe(120)
    const long = await makeAppRole(vault, mount, { token_ttl: '1h' })
    const capped = await long.login((await long.secretId()).body.data.secret_id)
    expect(capped.body.auth.lease_duration).toBe(240)
  })

  test('an auth method comes and is listed; both need sudo', async () => {
    const name = vault.unique('auth')
    expect((await vault.root('POST', `sys/auth/${name}`, { type: 'approle' })).status).toBe(204)
    expect((await vault.root('GET', 'sys/auth')).body.data[`${name}/`]).toMatchObject({ type: 'approle' })
    const { call } = await tokenWith(vault, 'path "sys/auth/*" { capabilities = ["create", "update"] }')
    expect((await call('POST', `sys/auth/${name}-2`, { type: 'approle' })).status).toBe(403)
  })
})

describe('policies', () => {
  const text = 'path "a/b" { capabilities = ["read"] }'

  test('a policy is written, read, listed and deleted', async () => {
    const name = vault.unique('policy')
    expect((await vault.root('PUT', `sys/policies/acl/${name}`, { policy: text })).status).toBe(204)
    expect((await vault.root('GET', `sys/policies/acl/${name}`)).body.data).toMatchObject({
      name,
      policy: text,
    })
    const { keys } = (await vault.root('LIST', 'sys/policies/acl')).body.data
    expect(keys).toEqual(expect.arrayContaining([name, 'default', 'root']))
    expect((await vault.root('DELETE', `sys/policies/acl/${name}`)).status).toBe(204)
    expect((await vault.root('GET', `sys/policies/acl/${name}`)).status).toBe(404)
    expect((await vault.root('DELETE', `sys/policies/acl/${name}`)).status).toBe(204)
  })

  test('the older routes name the text rules', async () => {
    const name = vault.unique('policy')
    expect(ANY_OF.written).toContain((await vault.root('PUT', `sys/policy/${name}`, { policy: text })).status)
    expect((await vault.root('GET', `sys/policy/${name}`)).body.data).toMatchObject({ name, rules: text })
    expect((await vault.root('GET', 'sys/policy')).body.data.policies).toContain(name)
  })

  test('base64 is taken apart', async () => {
    const name = vault.unique('policy')
    await vault.root('PUT', `sys/policies/acl/${name}`, { policy: Buffer.from(text).toString('base64') })
    expect((await vault.root('GET', `sys/policies/acl/${name}`)).body.data.policy).toBe(text)
  })

  test('what is no policy is refused', async () => {
    const name = vault.unique('policy')
    for (const policy of [
      'path "a" {',
      'path "a" { capabilities = ["fly"] }',
      'path "a" { nonsense = 1 }',
      'nonsense "a" { capabilities = ["read"] }',
      'path "a/+*" { capabilities = ["read"] }',
      'path "a" { policy = "everything" }',
    ]) {
      const { status, body } = await vault.root('PUT', `sys/policies/acl/${name}`, { policy })
      expect([status, body.errors[0].split(':')[0]]).toEqual([400, 'failed to parse policy'])
    }
    expect((await vault.root('PUT', `sys/policies/acl/${name}`, {})).body.errors[0]).toBe(
      "'policy' parameter not supplied or empty",
    )
  })

  test('root, default and response-wrapping stay', async () => {
    for (const name of ['root', 'default', 'response-wrapping'])
      expect((await vault.root('DELETE', `sys/policies/acl/${name}`)).status).toBe(400)
    for (const name of ['root', 'response-wrapping'])
      expect((await vault.root('PUT', `sys/policies/acl/${name}`, { policy: text })).status).toBe(400)
  })
})

describe('capabilities', () => {
  test('a token learns its own, root is root, nothing is deny', async () => {
    const { call, token, accessor } = await tokenWith(
      vault,
      `path "a/*" { capabilities = ["update", "read"] }
       path "a/no" { capabilities = ["deny", "read"] }
       path "sys/capabilities-self" { capabilities = ["update"] }`,
    )
    const self = await call('POST', 'sys/capabilities-self', { paths: ['a/x', 'a/no', 'b'] })
    expect(self.body.data).toMatchObject({ 'a/x': ['read', 'update'], 'a/no': ['deny'], b: ['deny'] })
    expect(self.body['a/x']).toEqual(['read', 'update'])
    const one = await vault.root('POST', 'sys/capabilities', { token, paths: ['a/x'] })
    expect(one.body.data).toMatchObject({ capabilities: ['read', 'update'], 'a/x': ['read', 'update'] })
    const other = await vault.root('POST', 'sys/capabilities-accessor', { accessor, paths: ['a/no'] })
    expect(other.body.data.capabilities).toEqual(['deny'])
    const root = await vault.root('POST', 'sys/capabilities-self', { paths: ['anything'] })
    expect(root.body.data.capabilities).toEqual(['root'])
  })
})
