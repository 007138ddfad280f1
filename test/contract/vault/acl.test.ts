import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ANY_OF } from '../../support/vault-differences.ts'
import { mountKv, openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
let mount: string
beforeAll(async () => {
  vault = await openVaultTarget()
  mount = await mountKv(vault)
  for (const path of ['a', 'a/b', 'a/b/c', 'team/x/key', 'team/y/key'])
    await vault.root('POST', `${mount}/data/${path}`, { data: { path } })
})
afterAll(() => vault[Symbol.asyncDispose]())

const rule = (path: string, capabilities: string) =>
  `path "${mount}/${path}" { capabilities = [${capabilities}] }\n`

/** Which of the paths a policy lets read. */
async function readable(policy: string, paths: string[]): Promise<string[]> {
  const { call } = await tokenWith(vault, policy)
  const answers = await Promise.all(
    paths.map(async (path) => (await call('GET', `${mount}/data/${path}`)).status),
  )
  return paths.filter((_, index) => answers[index] === 200)
}

describe('I5 least: policies are judged', () => {
  test('nothing is allowed by default', async () => {
    const { call } = await tokenWith(vault, 'path "x" { capabilities = ["read"] }')
    const { status, body } = await call('GET', `${mount}/data/a`)
    expect([status, body.errors[0]]).toEqual([403, '1 error occurred:\n\t* permission denied\n\n'])
  })

  test('an exact path, a prefix and a segment each reach as far as they say', async () => {
    const all = ['a', 'a/b', 'a/b/c', 'team/x/key', 'team/y/key']
    expect(await readable(rule('data/a', '"read"'), all)).toEqual(['a'])
    expect(await readable(rule('data/a*', '"read"'), all)).toEqual(['a', 'a/b', 'a/b/c'])
    expect(await readable(rule('data/a/+', '"read"'), all)).toEqual(['a/b'])
    expect(await readable(rule('data/team/+/key', '"read"'), all)).toEqual(['team/x/key', 'team/y/key'])
  })

  test('the most specific rule alone counts, wider or narrower', async () => {
    const all = ['a', 'a/b', 'a/b/c']
    expect(await readable(rule('data/a*', '"read"') + rule('data/a/b', '"deny"'), all)).toEqual([
      'a',
      'a/b/c',
    ])
    expect(await readable(rule('data/*', '"deny"') + rule('data/a/b', '"read"'), all)).toEqual(['a/b'])
    expect(await readable(rule('data/a*', '"read"') + rule('data/a/b', '"list"'), all)).toEqual([
      'a',
      'a/b/c',
    ])
  })

  test('a slash at the end leads around no denial', async () => {
    const { call } = await tokenWith(vault, rule('data/a*', '"read", "delete"') + rule('data/a', '"deny"'))
    expect((await call('GET', `${mount}/data/a/`)).status).not.toBe(200)
    await call('DELETE', `${mount}/data/a/`)
    expect((await vault.root('GET', `${mount}/data/a`)).body.data.data).toEqual({ path: 'a' })
  })

  test('several policies unite, and any deny wins', async () => {
    const first = await tokenWith(vault, rule('data/a', '"read"'))
    const second = await tokenWith(vault, rule('data/a', '"deny"') + rule('data/a/b', '"read"'))
    const { body } = await vault.root('POST', 'auth/token/create', {
      policies: [first.policy, second.policy],
      no_default_policy: true,
    })
    const call = vault.as(body.auth.client_token)
    expect((await call('GET', `${mount}/data/a/b`)).status).toBe(200)
    expect((await call('GET', `${mount}/data/a`)).status).toBe(403)
  })

  test('a list is judged with and without its last slash', async () => {
    for (const path of ['metadata/a', 'metadata/a/', 'metadata/a/*', 'metadata/+']) {
      const { call } = await tokenWith(vault, rule(path, '"list"'))
      expect((await call('LIST', `${mount}/metadata/a`)).status).toBe(200)
      expect((await call('GET', `${mount}/metadata/a/b`)).status).toBe(403)
    }
  })

  test('a changed text counts at once for living tokens', async () => {
    const { call, policy } = await tokenWith(vault, rule('data/a', '"read"'))
    expect((await call('GET', `${mount}/data/a`)).status).toBe(200)
    await vault.root('PUT', `sys/policies/acl/${policy}`, { policy: rule('data/a', '"list"') })
    expect((await call('GET', `${mount}/data/a`)).status).toBe(403)
    await vault.root('DELETE', `sys/policies/acl/${policy}`)
    expect((await call('GET', `${mount}/data/a`)).status).toBe(403)
  })

  test('JSON says the same as HCL', async () => {
    const policy = JSON.stringify({ path: { [`${mount}/data/a`]: { capabilities: ['read'] } } })
    expect(await readable(policy, ['a', 'a/b'])).toEqual(['a'])
  })

  test('a root-protected path needs sudo as well', async () => {
    const path = 'path "sys/leases/revoke-prefix/*"'
    const without = await tokenWith(vault, `${path} { capabilities = ["update"] }`)
    expect((await without.call('PUT', 'sys/leases/revoke-prefix/nothing', {})).status).toBe(403)
    const withSudo = await tokenWith(vault, `${path} { capabilities = ["update", "sudo"] }`)
    expect(ANY_OF.revoked).toContain(
      (await withSudo.call('PUT', 'sys/leases/revoke-prefix/nothing', {})).status,
    )
  })
})

/** Gives a way to mint tokens under a rule with these parameters. */
async function minting(parameters: string) {
  const role = vault.unique('role')
  await vault.root('POST', `auth/token/roles/${role}`, { allowed_policies: ['x'] })
  const { call } = await tokenWith(
    vault,
    `path "auth/token/create/${role}" { capabilities = ["update"] ${parameters} }`,
  )
  return async (body: object) => (await call('POST', `auth/token/create/${role}`, body)).status
}

describe('parameters', () => {
  test('allowed ones are the only ones, with the values they list', async () => {
    const mint = await minting('allowed_parameters = { "ttl" = ["1m", "2*"], "meta" = [] }')
    expect(await mint({})).toBe(200)
    expect(await mint({ ttl: '1m', meta: { a: 'b' } })).toBe(200)
    expect(await mint({ ttl: '20m' })).toBe(200)
    expect(await mint({ ttl: '3m' })).toBe(403)
    expect(await mint({ ttl: '1m', num_uses: 1 })).toBe(403)
  })

  test('denied ones are refused, by value or altogether', async () => {
    const mint = await minting('denied_parameters = { "ttl" = ["9m"], "num_uses" = [] }')
    expect(await mint({ ttl: '1m' })).toBe(200)
    expect(await mint({ ttl: '9m' })).toBe(403)
    expect(await mint({ num_uses: 1 })).toBe(403)
  })

  test('required ones must be there', async () => {
    const mint = await minting('required_parameters = ["meta"]')
    expect(await mint({ meta: {} })).toBe(200)
    expect(await mint({})).toBe(403)
  })
})
