import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mountKv, openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
beforeAll(async () => {
  vault = await openVaultTarget()
})
afterAll(() => vault[Symbol.asyncDispose]())

const WRAP = { 'x-vault-wrap-ttl': '60s' }
const spent = 'wrapping token is not valid or does not exist'

describe('wrapping a reply', () => {
  test('hides it behind a token that opens it once', async () => {
    const mount = await mountKv(vault)
    const wrapped = await vault.root('GET', `${mount}/data/ready`, undefined, WRAP)
    expect(wrapped.body.data).toBeNull()
    const { token, ...info } = wrapped.body.wrap_info
    expect(info).toMatchObject({
      ttl: 60,
      creation_path: `${mount}/data/ready`,
      accessor: expect.any(String),
    })
    const opened = await vault.as(token)('POST', 'sys/wrapping/unwrap')
    expect([opened.status, opened.body.data.data]).toEqual([200, { is: 'ready' }])
    const again = await vault.as(token)('POST', 'sys/wrapping/unwrap')
    expect([again.status, again.body.errors[0]]).toEqual([400, spent])
  })

  test('a login names the accessor of what it wraps', async () => {
    const { body } = await vault.root('POST', 'auth/token/create', { policies: ['default'] }, WRAP)
    expect(body.auth).toBeNull()
    const opened = await vault.as(body.wrap_info.token)('POST', 'sys/wrapping/unwrap')
    expect(body.wrap_info.wrapped_accessor).toBe(opened.body.auth.accessor)
    expect((await vault.as(opened.body.auth.client_token)('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  test('an empty answer and a refusal are not wrapped', async () => {
    const none = await vault.root('POST', 'auth/token/revoke', { token: 'hvs.nobody' }, WRAP)
    expect(none.status).toBe(204)
    const refused = await vault.root('GET', 'no/such/thing', undefined, WRAP)
    expect(refused.status).toBe(404)
  })
})

describe('sys/wrapping', () => {
  test('wraps anything, and only with a time to live', async () => {
    const without = await vault.root('POST', 'sys/wrapping/wrap', { a: 1 })
    expect([without.status, without.body.errors[0]]).toEqual([
      400,
      'endpoint requires response wrapping to be used',
    ])
    const { body } = await vault.root('POST', 'sys/wrapping/wrap', { a: { b: [1] } }, WRAP)
    const { call } = await tokenWith(vault, 'path "sys/wrapping/unwrap" { capabilities = ["update"] }')
    const opened = await call('POST', 'sys/wrapping/unwrap', { token: body.wrap_info.token })
    expect(opened.body.data).toEqual({ a: { b: [1] } })
    const again = await call('POST', 'sys/wrapping/unwrap', { token: body.wrap_info.token })
    expect([again.status, again.body.errors[0]]).toEqual([400, spent])
  })

  test('a look-up needs no token, tells where it was made, and does not open it', async () => {
    const { wrap_info: info } = (await vault.root('POST', 'sys/wrapping/wrap', { a: 1 }, WRAP)).body
    for (let times = 0; times < 2; times++) {
      const { status, body } = await vault.as('')('POST', 'sys/wrapping/lookup', { token: info.token })
      expect(status).toBe(200)
      expect(body.data).toMatchObject({ creation_path: 'sys/wrapping/wrap', creation_ttl: 60 })
    }
    expect((await vault.as(info.token)('POST', 'sys/wrapping/unwrap')).status).toBe(200)
    expect((await vault.as('')('POST', 'sys/wrapping/lookup', { token: info.token })).status).toBe(400)
  })

  test('a wrapping token can do nothing else', async () => {
    const { wrap_info: info } = (await vault.root('POST', 'sys/wrapping/wrap', { a: 1 }, WRAP)).body
    expect((await vault.as(info.token)('GET', 'auth/token/lookup-self')).status).toBe(403)
  })

  test('an ordinary token and an unknown one open nothing', async () => {
    const { token } = await tokenWith(vault, 'path "x" { capabilities = ["read"] }')
    for (const other of [token, 'hvs.nobody']) {
      const { status, body } = await vault.root('POST', 'sys/wrapping/unwrap', { token: other })
      expect([status, body.errors[0]]).toEqual([400, spent])
    }
  })

  test('the end of its time ends it', async () => {
    const headers = { 'x-vault-wrap-ttl': '1' }
    const { wrap_info: info } = (await vault.root('POST', 'sys/wrapping/wrap', { a: 1 }, headers)).body
    const lookup = () => vault.as('')('POST', 'sys/wrapping/lookup', { token: info.token })
    await expect.poll(async () => (await lookup()).status, { timeout: 15_000 }).toBe(400)
  })
})

describe('policies on wrapping', () => {
  test('a minimum or maximum forces wrapping within it', async () => {
    const mount = await mountKv(vault)
    const { call } = await tokenWith(
      vault,
      `path "${mount}/data/ready" { capabilities = ["read"] min_wrapping_ttl = "10s" max_wrapping_ttl = "1m" }`,
    )
    const read = (ttl?: string) =>
      call('GET', `${mount}/data/ready`, undefined, ttl ? { 'x-vault-wrap-ttl': ttl } : {})
    expect((await read()).status).toBe(403)
    expect((await read('5')).status).toBe(403)
    expect((await read('2m')).status).toBe(403)
    expect((await read('30s')).body.wrap_info.ttl).toBe(30)
  })
})
