import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mountKv, openVaultTarget, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
let mount: string
beforeAll(async () => {
  vault = await openVaultTarget()
  mount = await mountKv(vault)
})
afterAll(() => vault[Symbol.asyncDispose]())

const put = (path: string, data: object, options?: object) =>
  vault.root('POST', `${mount}/data/${path}`, { data, ...(options && { options }) })
const MERGE = { 'content-type': 'application/merge-patch+json' }
const patch = (path: string, body: object) => vault.root('PATCH', `${mount}/${path}`, body, MERGE)
const metadata = async (path: string) => (await vault.root('GET', `${mount}/metadata/${path}`)).body.data

const namesDownTo = async (depth: number) =>
  (await vault.root('GET', `${mount}/subkeys/deep?depth=${depth}`)).body.data.subkeys

describe('subkeys', () => {
  test('are the names of a secret without its values', async () => {
    await put('named', { a: 'do-not-tell', b: { c: { d: 'do-not-tell' }, e: {} }, f: [1, { g: 1 }] })
    const { status, body } = await vault.root('GET', `${mount}/subkeys/named`)
    expect(status).toBe(200)
    expect(body.data.subkeys).toEqual({ a: null, b: { c: { d: null }, e: null }, f: null })
    expect(body.data.metadata).toMatchObject({ version: 1, destroyed: false })
    expect(JSON.stringify(body)).not.toContain('do-not-tell')
  })

  test('reach as deep as is said', async () => {
    await put('deep', { a: { b: { c: 1 } } })
    expect(await namesDownTo(1)).toEqual({ a: null })
    expect(await namesDownTo(2)).toEqual({ a: { b: null } })
    expect(await namesDownTo(0)).toEqual({ a: { b: { c: null } } })
  })

  test('of a version, of a deleted one, and of nothing', async () => {
    await put('some', { old: 1 })
    await put('some', { new: 1 })
    const one = await vault.root('GET', `${mount}/subkeys/some?version=1`)
    expect(one.body.data.subkeys).toEqual({ old: null })
    await vault.root('DELETE', `${mount}/data/some`)
    const gone = await vault.root('GET', `${mount}/subkeys/some`)
    expect([gone.status, gone.body.data.subkeys, gone.body.data.metadata.version]).toEqual([404, null, 2])
    const none = await vault.root('GET', `${mount}/subkeys/nothing`)
    expect([none.status, none.body.errors]).toEqual([404, []])
  })
})

describe('patches', () => {
  test('of data are held to check-and-set', async () => {
    await put('patched', { a: 1 })
    const wrong = await patch('data/patched', { data: { b: 2 }, options: { cas: 7 } })
    expect([wrong.status, wrong.body.errors[0]]).toEqual([
      400,
      'check-and-set parameter did not match the current version',
    ])
    const right = await patch('data/patched', { data: { b: 2 }, options: { cas: 1 } })
    expect(right.body.data.version).toBe(2)
    expect((await patch('data/patched', {})).body.errors[0]).toBe('no data provided')
  })

  test('of a deleted secret are 404 with its metadata', async () => {
    await put('unpatched', { a: 1 })
    await vault.root('DELETE', `${mount}/data/unpatched`)
    const { status, body } = await patch('data/unpatched', { data: { b: 2 } })
    expect([status, body.data.version]).toEqual([404, 1])
  })

  test('of metadata merge, and null takes a custom key away', async () => {
    await vault.root('POST', `${mount}/metadata/custom`, {
      max_versions: 5,
      custom_metadata: { owner: 'a', team: 'b' },
    })
    const { status } = await patch('metadata/custom', { custom_metadata: { owner: 'c', team: null } })
    expect(status).toBe(204)
    expect(await metadata('custom')).toMatchObject({ max_versions: 5, custom_metadata: { owner: 'c' } })
    expect((await metadata('custom')).custom_metadata).not.toHaveProperty('team')
    expect((await patch('metadata/no-such', { max_versions: 2 })).status).toBe(404)
  })
})

describe('rules', () => {
  test('a write of metadata replaces custom keys whole, and without a rule makes nothing', async () => {
    await vault.root('POST', `${mount}/metadata/whole`, { custom_metadata: { a: '1', b: '2' } })
    await vault.root('POST', `${mount}/metadata/whole`, { custom_metadata: { c: '3' } })
    expect((await metadata('whole')).custom_metadata).toEqual({ c: '3' })
    expect((await vault.root('POST', `${mount}/metadata/none`, {})).status).toBe(204)
    expect((await vault.root('GET', `${mount}/metadata/none`)).status).toBe(404)
  })

  test.each([
    ['too many keys', Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, 'v']))],
    ['a long key', { ['k'.repeat(129)]: 'v' }],
    ['a long value', { k: 'v'.repeat(513) }],
    ['an empty value', { k: '' }],
    ['a control character', { k: 'a\u0007b' }],
  ])('%s is refused', async (_, custom) => {
    const { status, body } = await vault.root('POST', `${mount}/metadata/odd`, { custom_metadata: custom })
    expect(status).toBe(400)
    expect(body.errors[0]).toContain('custom_metadata validation failed')
  })

  test('a version ends by itself after the time of its secret or of the mount', async () => {
    await vault.root('POST', `${mount}/metadata/short`, { delete_version_after: '3s' })
    const { data } = (await put('short', { a: 1 })).body
    expect(data.deletion_time).not.toBe('')
    const read = async () => (await vault.root('GET', `${mount}/data/short`)).status
    expect(await read()).toBe(200)
    await expect.poll(read, { timeout: 15_000 }).toBe(404)
    expect((await metadata('short')).delete_version_after).toBe('3s')
  })

  test('the rules of a mount count for its secrets', async () => {
    const other = await mountKv(vault)
    const config = { max_versions: 2, cas_required: true, delete_version_after: '1h' }
    expect((await vault.root('POST', `${other}/config`, config)).status).toBe(204)
    expect((await vault.root('GET', `${other}/config`)).body.data).toMatchObject({
      ...config,
      delete_version_after: '1h0m0s',
    })
    const write = (cas?: number) =>
      vault.root('POST', `${other}/data/a`, { data: {}, ...(cas !== undefined && { options: { cas } }) })
    expect((await write()).body.errors[0]).toBe('check-and-set parameter required for this call')
    for (const cas of [0, 1, 2]) expect((await write(cas)).status).toBe(200)
    expect((await vault.root('GET', `${other}/data/a?version=1`)).status).toBe(404)
    expect((await vault.root('GET', `${other}/data/a`)).body.data.metadata.deletion_time).not.toBe('')
    await vault.root('POST', `${other}/config`, { delete_version_after: '-1s' })
    expect((await write(3)).body.data.deletion_time).toBe('')
  })
})

describe('paths', () => {
  test('a path of version 1 is 404 and says so', async () => {
    const { status, body } = await vault.root('GET', `${mount}/plain`)
    expect(status).toBe(404)
    expect(body.warnings[0]).toContain('Invalid path for a versioned K/V secrets engine')
    const root = await vault.root('GET', `${mount}/data`)
    expect([root.status, root.body.warnings[0]]).toEqual([
      404,
      'Non-listing operations on the root of a K/V v2 mount are not supported.',
    ])
  })

  test('versions of what does not exist are deleted without a word', async () => {
    for (const route of ['delete', 'undelete', 'destroy'])
      expect((await vault.root('POST', `${mount}/${route}/nothing`, { versions: [1] })).status).toBe(204)
  })
})
