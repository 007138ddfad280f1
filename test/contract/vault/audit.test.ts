import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isAuditByConfigurationAlone } from '../../support/vault-differences.ts'
import { mountKv, openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
let mount: string
let directory: string
let isServed = true
beforeAll(async () => {
  vault = await openVaultTarget()
  mount = await mountKv(vault)
  directory = mkdtempSync(join(tmpdir(), 'tb-audit-'))
  const probe = vault.unique('probe')
  const { body } = await vault.root('PUT', `sys/audit/${probe}`, device('discard'))
  isServed = !isAuditByConfigurationAlone(body)
  await vault.root('DELETE', `sys/audit/${probe}`)
})
afterAll(async () => {
  await vault[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const device = (path: string, options: object = {}) => ({
  type: 'file',
  options: { file_path: path, ...options },
})

/** A device whose lines can be read, for as long as the test runs. */
async function record(options: object = {}) {
  const name = vault.unique('file')
  const path = join(directory, name)
  const { status, body } = await vault.root('PUT', `sys/audit/${name}`, device(path, options))
  expect(body?.errors).toBeUndefined()
  expect(status).toBe(204)
  return {
    name,
    path,
    text: () => readFileSync(path, 'utf8'),
    lines: (): any[] =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    hash: async (input: string) =>
      (await vault.root('POST', `sys/audit-hash/${name}`, { input })).body.data.hash,
    async [Symbol.asyncDispose]() {
      await vault.root('DELETE', `sys/audit/${name}`)
    },
  }
}

describe('a file device', () => {
  test('takes a line before and one after, with values hashed and names in clear', async ({ skip }) => {
    if (!isServed) skip()
    await using file = await record()
    const canary = `canary-${randomBytes(12).toString('hex')}`
    const path = `${mount}/data/${vault.unique('audited')}`
    const { body } = await vault.root('POST', path, { data: { key: canary, count: 7, list: [canary, true] } })
    const [request, response] = file.lines().filter((line) => line.request.path === path)
    expect([request.type, response.type]).toEqual(['request', 'response'])
    const hash = await file.hash(canary)
    expect(hash).toMatch(/^hmac-sha256:[0-9a-f]{64}$/)
    expect(request.request).toMatchObject({
      id: body.request_id,
      operation: 'create',
      mount_point: `${mount}/`,
      mount_type: 'kv',
      namespace: { id: 'root' },
      path,
      // Vault hashes numbers too.
      data: { data: { key: hash, count: vault.isVault ? await file.hash('7') : 7, list: [hash, true] } },
      remote_address: '127.0.0.1',
    })
    expect(request.auth).toMatchObject({
      policies: ['root'],
      policy_results: { allowed: true },
    })
    // Vault puts an empty one before them.
    expect(request.auth.policy_results.granting_policies).toContainEqual(
      expect.objectContaining({ name: 'root', type: 'acl' }),
    )
    expect(request.auth.client_token).toMatch(/^hmac-sha256:/)
    expect(response.response.data.version).toBe(1)
    expect(file.text()).not.toContain(canary)
    expect(file.text()).not.toContain(vault.rootToken)
  })

  test('records a denial with its error, and who was refused', async ({ skip }) => {
    if (!isServed) skip()
    await using file = await record()
    const { call, accessor, policy } = await tokenWith(vault, 'path "x" { capabilities = ["read"] }')
    const path = `${mount}/data/${vault.unique('denied')}`
    expect((await call('GET', path)).status).toBe(403)
    expect((await vault.as('hvs.nobody')('GET', path)).status).toBe(403)
    const lines = file.lines().filter((line) => line.request.path === path)
    expect(lines.length).toBeGreaterThanOrEqual(3)
    for (const line of lines) expect(line.error).toContain('permission denied')
    const [denied] = lines
    expect(denied.auth).toMatchObject({
      policies: [policy],
      accessor: await file.hash(accessor),
      token_type: 'service',
    })
    expect(denied.auth.policy_results?.allowed ?? false).toBe(false)
  })

  test('the text of a refusal is hashed, since it can hold what was sent', async ({ skip }) => {
    if (!isServed) skip()
    await using file = await record()
    const role = vault.unique('no-role')
    const { body } = await vault.root('POST', `auth/token/create/${role}`, {})
    const line = file.lines().findLast((each) => each.type === 'response' && each.request.path.endsWith(role))
    expect(line.response.data.error).toBe(await file.hash(body.errors[0]))
    expect(line.error ?? '').not.toContain(role)
    const none = `${mount}/data/${vault.unique('none')}`
    await vault.root('GET', none)
    expect(file.lines().findLast((each) => each.request.path === none).error).toBeUndefined()
  })

  test('names the policies that grant, and tells the type of a token', async ({ skip }) => {
    if (!isServed) skip()
    await using file = await record()
    const path = `${mount}/data/ready`
    const { call, policy } = await tokenWith(vault, `path "${path}" { capabilities = ["read"] }`)
    expect((await call('GET', path)).status).toBe(200)
    const line = file.lines().find((each) => each.request.path === path)
    const names = line.auth.policy_results.granting_policies.map(({ name }: { name?: string }) => name)
    expect(names).toContain(policy)
    expect(line.auth.token_ttl).toBe(600)
  })

  test('tells a lease in clear, and a new token and a wrapping token hashed', async ({ skip }) => {
    if (!isServed) skip()
    await using file = await record()
    const made = (await vault.root('POST', 'auth/token/create', { policies: ['default'], ttl: '1m' })).body
      .auth
    const wrap = { 'x-vault-wrap-ttl': '60' }
    const { wrap_info: info } = (await vault.root('POST', 'sys/wrapping/wrap', { a: 'inside' }, wrap)).body
    const response = (path: string) =>
      file.lines().findLast((line) => line.type === 'response' && line.request.path === path).response
    expect(response('auth/token/create').auth).toMatchObject({
      client_token: await file.hash(made.client_token),
      accessor: await file.hash(made.accessor),
    })
    expect(response('sys/wrapping/wrap').wrap_info).toMatchObject({
      token: await file.hash(info.token),
      creation_path: 'sys/wrapping/wrap',
      ttl: 60,
    })
    for (const secret of [made.client_token, made.accessor, info.token, 'inside'])
      expect(file.text()).not.toContain(secret)
  })

  test('leaves out what the state of the seal is asked', async ({ skip }) => {
    if (!isServed) skip()
    await using file = await record()
    for (const path of ['sys/health', 'sys/seal-status', 'sys/leader']) await vault.as('')('GET', path)
    expect(file.lines().filter((line) => /sys\/(health|seal-status|leader)/.test(line.request.path))).toEqual(
      [],
    )
  })

  test('can show accessors, or all of it, and is readable by its owner alone', async ({ skip }) => {
    if (!isServed) skip()
    await using shown = await record({ hmac_accessor: 'false' })
    await using raw = await record({ log_raw: 'true' })
    const { token, call, accessor } = await tokenWith(vault, 'path "x" { capabilities = ["read"] }')
    await call('GET', 'x')
    expect(shown.text()).toContain(accessor)
    expect(shown.text()).not.toContain(token)
    expect(raw.text()).toContain(token)
    expect(statSync(raw.path).mode & 0o777).toBe(0o600)
  })
})

describe('sys/audit', () => {
  test('lists devices; a name in use, an unknown type and a bad file are 400', async ({ skip }) => {
    if (!isServed) skip()
    await using file = await record()
    const { body } = await vault.root('GET', 'sys/audit')
    expect(body.data[`${file.name}/`]).toMatchObject({
      type: 'file',
      path: `${file.name}/`,
      options: { file_path: file.path },
    })
    expect(body[`${file.name}/`]).toEqual(body.data[`${file.name}/`])
    const again = await vault.root('PUT', `sys/audit/${file.name}`, device(file.path))
    expect([again.status, again.body.errors[0]]).toEqual([
      400,
      expect.stringContaining('path already in use'),
    ])
    const odd = await vault.root('PUT', `sys/audit/${file.name}-2`, { type: 'telegraph' })
    expect(odd.status).toBe(400)
    const nowhere = await vault.root('PUT', `sys/audit/${file.name}-3`, device(directory))
    expect(nowhere.status).toBe(400)
  })

  test('needs sudo', async () => {
    const { call } = await tokenWith(
      vault,
      'path "sys/audit*" { capabilities = ["create", "read", "update", "delete"] }',
    )
    expect((await call('GET', 'sys/audit')).status).toBe(403)
    expect((await call('PUT', 'sys/audit/mine', device('discard'))).status).toBe(403)
  })
})
