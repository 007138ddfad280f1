import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mountKv, openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
let mount: string
beforeAll(async () => {
  vault = await openVaultTarget()
  mount = await mountKv(vault)
})
afterAll(() => vault[Symbol.asyncDispose]())

const put = (path: string, data: object, options?: object) =>
  vault.root('POST', `${mount}/data/${path}`, { data, ...(options && { options }) })
const get = (path: string) => vault.root('GET', `${mount}/data/${path}`)

describe('data', () => {
  test('each write is a version that can be read', async () => {
    const first = await put('versions', { a: 1 })
    expect(first.body.data).toMatchObject({
      version: 1,
      deletion_time: '',
      destroyed: false,
      custom_metadata: null,
    })
    await put('versions', { a: 2 })
    expect((await get('versions')).body.data).toMatchObject({ data: { a: 2 }, metadata: { version: 2 } })
    expect((await get('versions?version=1')).body.data.data).toEqual({ a: 1 })
    expect((await get('versions?version=9')).status).toBe(404)
  })

  test('what is not there is 404 with no error', async () => {
    const { status, body } = await get('nothing')
    expect([status, body.errors]).toEqual([404, []])
  })

  test('check-and-set lets one writer through', async () => {
    expect((await put('cas', { a: 1 }, { cas: 0 })).status).toBe(200)
    const wrong = await put('cas', { a: 2 }, { cas: 0 })
    expect([wrong.status, wrong.body.errors[0]]).toEqual([
      400,
      'check-and-set parameter did not match the current version',
    ])
    expect((await put('cas', { a: 2 }, { cas: 1 })).body.data.version).toBe(2)
    expect((await put('cas-none', { a: 1 }, { cas: 3 })).status).toBe(400)
  })

  test('check-and-set can be required', async () => {
    await vault.root('POST', `${mount}/metadata/strict`, { cas_required: true })
    const { status, body } = await put('strict', { a: 1 })
    expect([status, body.errors[0]]).toEqual([400, 'check-and-set parameter required for this call'])
    expect((await put('strict', { a: 1 }, { cas: 0 })).status).toBe(200)
  })

  test('a write without data is refused', async () => {
    const { status, body } = await vault.root('POST', `${mount}/data/empty`, { options: {} })
    expect([status, body.errors[0]]).toEqual([400, 'no data provided'])
  })

  test('values of every kind come back as they were', async () => {
    const data = {
      text: 'ä"\n',
      number: 1.5,
      list: [1, 'a', null],
      nested: { deep: { er: true } },
      __proto__x: 1,
    }
    await put('kinds', data)
    expect((await get('kinds')).body.data.data).toEqual(data)
  })

  test('a patch merges, and null takes away', async () => {
    await put('patched', { a: 1, b: { c: 2, d: 3 } })
    const headers = { 'content-type': 'application/merge-patch+json' }
    const patch = { data: { a: null, b: { c: 4 } } }
    expect((await vault.root('PATCH', `${mount}/data/patched`, patch, headers)).status).toBe(200)
    expect((await get('patched')).body.data.data).toEqual({ b: { c: 4, d: 3 } })
    expect((await vault.root('PATCH', `${mount}/data/no-such`, patch, headers)).status).toBe(404)
  })
})

describe('deletion', () => {
  test('a deleted version is 404 with the envelope, and can come back', async () => {
    await put('deleted', { a: 1 })
    expect((await vault.root('DELETE', `${mount}/data/deleted`)).status).toBe(204)
    const gone = await get('deleted')
    expect(gone.status).toBe(404)
    expect(gone.body.data).toMatchObject({ data: null, metadata: { version: 1, destroyed: false } })
    expect(gone.body.data.metadata.deletion_time).not.toBe('')
    expect(gone.body).not.toHaveProperty('errors')
    expect((await vault.root('POST', `${mount}/undelete/deleted`, { versions: [1] })).status).toBe(204)
    expect((await get('deleted')).body.data.data).toEqual({ a: 1 })
  })

  test('chosen versions are deleted, and destroyed for good', async () => {
    await put('destroyed', { a: 1 })
    await put('destroyed', { a: 2 })
    expect((await vault.root('POST', `${mount}/delete/destroyed`, { versions: [1] })).status).toBe(204)
    expect((await get('destroyed?version=1')).status).toBe(404)
    expect((await get('destroyed')).status).toBe(200)
    expect((await vault.root('PUT', `${mount}/destroy/destroyed`, { versions: [2] })).status).toBe(204)
    await vault.root('POST', `${mount}/undelete/destroyed`, { versions: [2] })
    const gone = await get('destroyed')
    expect([gone.status, gone.body.data.metadata.destroyed]).toEqual([404, true])
    expect((await vault.root('POST', `${mount}/destroy/destroyed`, { versions: [] })).status).toBe(400)
  })
})

describe('metadata', () => {
  test('tells of versions and never of values', async () => {
    await put('told', { secret: 'do-not-tell' })
    await put('told', { secret: 'do-not-tell' })
    const { body } = await vault.root('GET', `${mount}/metadata/told`)
    expect(body.data).toMatchObject({
      current_version: 2,
      max_versions: 0,
      cas_required: false,
      delete_version_after: '0s',
    })
    expect(Object.keys(body.data.versions)).toEqual(['1', '2'])
    expect(JSON.stringify(body)).not.toContain('do-not-tell')
  })

  test('no more versions are kept than its rule says', async () => {
    await vault.root('POST', `${mount}/metadata/few`, { max_versions: 2, custom_metadata: { owner: 'me' } })
    for (let version = 1; version <= 4; version++) await put('few', { version })
    expect((await get('few?version=2')).status).toBe(404)
    expect((await get('few?version=3')).status).toBe(200)
    expect((await vault.root('GET', `${mount}/metadata/few`)).body.data).toMatchObject({
      oldest_version: 3,
      custom_metadata: { owner: 'me' },
    })
  })

  test('its deletion takes everything', async () => {
    await put('all', { a: 1 })
    expect((await vault.root('DELETE', `${mount}/metadata/all`)).status).toBe(204)
    expect((await get('all')).body.errors).toEqual([])
    expect((await put('all', { a: 1 })).body.data.version).toBe(1)
  })

  test('names are listed folder by folder', async () => {
    await put('list/a', {})
    await put('list/b/c', {})
    await put('list/b/d', {})
    expect((await vault.root('LIST', `${mount}/metadata/list`)).body.data.keys).toEqual(['a', 'b/'])
    expect((await vault.root('LIST', `${mount}/metadata/list/b/`)).body.data.keys).toEqual(['c', 'd'])
    const none = await vault.root('LIST', `${mount}/metadata/no-folder`)
    expect([none.status, none.body.errors]).toEqual([404, []])
  })
})

const rule = (name: string, capability: string) =>
  `path "${mount}/data/judged/${name}" { capabilities = ["${capability}"] }`

describe('create and update', () => {
  test('a new secret needs create, an existing one update', async () => {
    await put('judged/old', { a: 1 })
    const { call } = await tokenWith(
      vault,
      [rule('old', 'create'), rule('new', 'update'), rule('newer', 'create')].join('\n'),
    )
    const write = async (name: string) =>
      (await call('POST', `${mount}/data/judged/${name}`, { data: {} })).status
    expect([await write('old'), await write('new'), await write('newer'), await write('newer')]).toEqual([
      403, 403, 200, 403,
    ])
  })
})
