import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ANY_OF, isAuditByConfigurationAlone } from '../../support/vault-differences.ts'
import { mountKv, openFreshTarget, openVaultTarget, type VaultTarget } from '../../support/vault-target.ts'

const file = (path: string) => ({ type: 'file', options: { file_path: path, skip_test: 'true' } })
const real = process.env['TB_VAULT_ADDR'] !== undefined

describe.skipIf(real && !process.env['TB_VAULT_UNSEAL_KEYS'])('a sealed Vault', () => {
  let vault: VaultTarget
  beforeAll(async () => {
    vault = await openVaultTarget()
  })
  afterAll(() => vault[Symbol.asyncDispose]())

  const unseal = async () => {
    for (const key of vault.unsealKeys) await vault.as('')('PUT', 'sys/unseal', { key })
    await expect.poll(async () => (await vault.root('GET', 'sys/mounts')).status).toBe(200)
  }

  test('answers nothing but its status, and goes on where it was', async () => {
    const mount = await mountKv(vault)
    expect((await vault.root('PUT', 'sys/seal')).status).toBe(204)
    const sealed = await vault.root('GET', `${mount}/data/ready`)
    expect([sealed.status, sealed.body.errors[0]]).toEqual([503, 'Vault is sealed'])
    const health = await vault.as('')('GET', 'sys/health')
    expect([health.status, health.body.sealed, health.body.initialized]).toEqual([503, true, true])
    expect((await vault.as('')('GET', 'sys/health?sealedcode=299')).status).toBe(299)
    expect((await vault.as('')('GET', 'sys/seal-status')).body).toMatchObject({ sealed: true, progress: 0 })
    await unseal()
    expect((await vault.root('GET', `${mount}/data/ready`)).body.data.data).toEqual({ is: 'ready' })
  })

  test('is opened by its own key alone', async () => {
    await vault.root('PUT', 'sys/seal')
    const wrong = await vault.as('')('PUT', 'sys/unseal', { key: '00'.repeat(32) })
    expect(wrong.status).toBe(400)
    const none = await vault.as('')('PUT', 'sys/unseal', {})
    expect([none.status, none.body.errors[0]]).toEqual([
      400,
      "'key' must be specified in request body as JSON, or 'reset' set to true",
    ])
    const odd = await vault.as('')('PUT', 'sys/unseal', { key: '%%%' })
    expect([odd.status, odd.body.errors[0]]).toEqual([400, "'key' must be a valid hex or base64 string"])
    expect((await vault.as('')('GET', 'sys/seal-status')).body.sealed).toBe(true)
    await unseal()
    expect((await vault.as('')('PUT', 'sys/unseal', { reset: true })).body.errors[0]).toBe(
      'vault is unsealed',
    )
  })

  test('is sealed by root or sudo alone', async () => {
    expect((await vault.as('')('PUT', 'sys/seal')).status).toBe(403)
    const { auth } = (await vault.root('POST', 'auth/token/create', { policies: ['default'] })).body
    expect((await vault.as(auth.client_token)('PUT', 'sys/seal')).status).toBe(403)
    expect((await vault.as('')('GET', 'sys/seal-status')).body.sealed).toBe(false)
  })
})

describe.skipIf(real && !process.env['TB_VAULT_FRESH_ADDR'])('a Vault that was never initialised', () => {
  let vault: VaultTarget
  let rootToken: string
  beforeAll(async () => {
    vault = await openFreshTarget()
  })
  afterAll(() => vault[Symbol.asyncDispose]())

  test('says so, is initialised once, and opens with as many shares as were said', async () => {
    const call = vault.as('')
    expect((await call('GET', 'sys/init')).body.initialized).toBe(false)
    const health = await call('GET', 'sys/health')
    expect([health.status, health.body.initialized, health.body.sealed]).toEqual([501, false, true])
    expect((await call('GET', 'sys/mounts')).status).toBe(503)
    for (const wrong of [{}, { secret_shares: 3, secret_threshold: 1 }])
      expect((await call('PUT', 'sys/init', wrong)).status).toBe(400)

    const { body } = await call('PUT', 'sys/init', { secret_shares: 5, secret_threshold: 3 })
    expect(body).toMatchObject({ keys: expect.any(Array), keys_base64: expect.any(Array) })
    expect(body.keys.map((key: string) => Buffer.from(key, 'hex').toString('base64'))).toEqual(
      body.keys_base64,
    )
    const again = await call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })
    expect([again.status, again.body.errors[0]]).toEqual([400, 'Vault is already initialized'])

    const offer = async (key: string) => (await call('PUT', 'sys/unseal', { key })).body
    expect(await offer(body.keys[4])).toMatchObject({ sealed: true, t: 3, n: 5, progress: 1 })
    expect(await offer(body.keys[4])).toMatchObject({ progress: 1 })
    expect((await call('PUT', 'sys/unseal', { reset: true })).body).toMatchObject({ progress: 0, nonce: '' })
    await offer(body.keys[0])
    await offer(body.keys_base64[2])
    expect(await offer(body.keys[3])).toMatchObject({ sealed: false, progress: 0 })
    rootToken = body.root_token
    const root = vault.as(rootToken)
    await expect.poll(async () => (await root('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  // Here, since nothing helps a Vault whose only device fails: to take it away would have to be recorded, too.
  test('I8 on record: what no audit device can record does not happen', async ({ skip }) => {
    const root = vault.as(rootToken)
    const enabled = await root('PUT', 'sys/audit/discard', file('discard'))
    if (isAuditByConfigurationAlone(enabled.body)) skip()
    await root('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
    await expect
      .poll(async () => (await root('POST', 'kv/data/a', { data: { a: 1 } })).status, { timeout: 10_000 })
      .toBe(200)
    // With /dev/full alone every write fails; with another beside it, one that takes the line is enough.
    expect(ANY_OF.written).toContain((await root('PUT', 'sys/audit/full', file('/dev/full'))).status)
    expect((await root('GET', 'kv/data/a')).status).toBe(200)
    await root('DELETE', 'sys/audit/discard')
    for (const answer of [
      await root('GET', 'kv/data/a'),
      await root('POST', 'kv/data/a', { data: { a: 2 } }),
      await root('PUT', 'sys/audit/discard', file('discard')),
      await vault.as('')('POST', 'auth/approle/login', { role_id: 'x' }),
    ]) {
      expect(answer.status).toBe(500)
      expect(answer.body.errors[0]).toContain('internal error')
    }
    expect((await vault.as('')('GET', 'sys/health')).status).toBe(200)
  })
})
