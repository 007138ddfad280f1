import { connect } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ANY_OF } from '../../support/vault-differences.ts'
import { mountKv, openVaultTarget, tokenWith, type VaultTarget } from '../../support/vault-target.ts'

let vault: VaultTarget
let mount: string
beforeAll(async () => {
  vault = await openVaultTarget()
  mount = await mountKv(vault)
})
afterAll(() => vault[Symbol.asyncDispose]())

/** Sends bytes as they are, since fetch cleans paths up; gives the status codes that came back. */
async function raw(text: string, expected: number): Promise<number[]> {
  const { hostname, port } = new URL(vault.address)
  const socket = connect(Number(port), hostname)
  socket.write(text)
  let received = ''
  const statuses = () => [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]))
  socket.on('data', (chunk) => (received += chunk.toString()))
  socket.on('error', () => {})
  for (let waits = 0; statuses().length < expected && waits < 200; waits++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  socket.destroy()
  await once(socket, 'close')
  return statuses()
}

const line = (method: string, path: string) =>
  `${method} /v1/${path} HTTP/1.1\r\nHost: x\r\nX-Vault-Token: ${vault.rootToken}\r\n\r\n`

describe('answers', () => {
  test('every answer is JSON and not to be stored', async () => {
    for (const path of ['sys/health', `${mount}/data/ready`, 'no/such/thing']) {
      const { headers } = await vault.root('GET', path)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('content-type')).toContain('application/json')
    }
  })

  test('the envelope holds every key', async () => {
    const { body } = await vault.root('GET', `${mount}/data/ready`)
    expect(body).toMatchObject({
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      wrap_info: null,
      warnings: null,
      auth: null,
    })
  })

  test('an unmounted path says so', async () => {
    const { status, body } = await vault.root('GET', 'no/such/thing')
    expect(status).toBe(404)
    expect(body.errors[0]).toBe('no handler for route "no/such/thing". route entry not found.')
  })

  test('an unknown route of an engine is 404, an operation that it does not know 405', async () => {
    const unknown = await vault.root('GET', 'auth/token/nonsense')
    expect([unknown.status, unknown.body.errors[0]]).toEqual([
      404,
      '1 error occurred:\n\t* unsupported path\n\n',
    ])
    const wrong = await vault.root('DELETE', 'auth/token/lookup-self')
    expect([wrong.status, wrong.body.errors[0]]).toEqual([
      405,
      '1 error occurred:\n\t* unsupported operation\n\n',
    ])
  })
})

describe('tokens on the wire', () => {
  test('no token and a wrong token are 403', async () => {
    for (const token of ['', 'hvs.this-is-no-token']) {
      const { status, body } = await vault.as(token)('GET', `${mount}/data/ready`)
      expect(status).toBe(403)
      expect(body.errors[0]).toContain('permission denied')
    }
  })

  test('a bearer token counts as the header does', async () => {
    const headers = { authorization: `Bearer ${vault.rootToken}` }
    expect((await vault.as('')('GET', 'auth/token/lookup-self', undefined, headers)).status).toBe(200)
  })
})

const readIn = (namespace: string) =>
  vault.root('GET', `${mount}/data/ready`, undefined, { 'x-vault-namespace': namespace })

describe('namespaces', () => {
  // Vault's community edition has none, and answers from the root.
  test('one that does not exist is never answered from the root', async ({ skip }) => {
    if (vault.isVault) skip()
    expect((await readIn('no-such-team/')).status).toBe(404)
    expect((await readIn('root')).body.data.data).toEqual({ is: 'ready' })
  })
})

describe('verbs', () => {
  test('POST and PUT are the same', async () => {
    expect((await vault.root('PUT', `${mount}/data/put`, { data: { a: 1 } })).status).toBe(200)
    expect((await vault.root('POST', `${mount}/data/put`, { data: { a: 2 } })).body.data.version).toBe(2)
  })

  test('LIST and GET with list=true are the same', async () => {
    const listed = await vault.root('LIST', `${mount}/metadata`)
    const asked = await vault.root('GET', `${mount}/metadata?list=true`)
    expect(listed.body.data.keys).toContain('ready')
    expect(asked.body.data).toEqual(listed.body.data)
    expect((await vault.root('GET', `${mount}/metadata?list=garbage`)).status).toBe(400)
  })

  test('LIST and GET take turns on one connection', async () => {
    const requests = ['LIST', 'GET', 'LIST', 'LIST', 'GET']
    const { hostname, port } = new URL(vault.address)
    const socket = connect(Number(port), hostname)
    for (const method of requests) {
      socket.write(line(method, method === 'LIST' ? `${mount}/metadata` : `${mount}/data/ready`))
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      expect(chunk.toString()).toContain('HTTP/1.1 200')
      expect(chunk.toString().includes('"keys"')).toBe(method === 'LIST')
    }
    socket.destroy()
  })

  test('a LIST that arrives in pieces is answered, and one connection bears many', async () => {
    const { hostname, port } = new URL(vault.address)
    const socket = connect(Number(port), hostname).setNoDelay()
    const whole = line('LIST', `${mount}/metadata`)
    for (const cut of [6, 12, 30, ...Array.from({ length: 20 }, () => whole.length)]) {
      socket.write(whole.slice(0, cut))
      await new Promise((resolve) => setImmediate(resolve))
      if (cut < whole.length)
        await expect(once(socket, 'data', { signal: AbortSignal.timeout(50) })).rejects.toThrow()
      socket.write(whole.slice(cut))
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      expect(chunk.toString()).toContain('"keys"')
    }
    socket.destroy()
  })

  test('PATCH needs its content type', async () => {
    const { status, body } = await vault.root('PATCH', `${mount}/data/ready`, { data: { a: 1 } })
    expect(status).toBe(415)
    expect(body.errors[0]).toContain('PATCH requires Content-Type of application/merge-patch+json')
  })

  test('a write to a path that ends in a slash is refused', async () => {
    const { status, body } = await vault.root('POST', `${mount}/data/folder/`, { data: {} })
    expect([status, body.errors[0]]).toEqual([400, "cannot write to a path ending in '/'"])
  })
})

describe('paths', () => {
  test('a path is decoded once before policies judge it', async () => {
    const { call } = await tokenWith(
      vault,
      `path "${mount}/data/a/b" { capabilities = ["create", "update", "read"] }`,
    )
    expect((await call('POST', `${mount}/data/a%2Fb`, { data: { x: 1 } })).status).toBe(200)
    expect((await call('GET', `${mount}/data/a/b`)).body.data.data).toEqual({ x: 1 })
    expect((await call('GET', `${mount}/data/a%252Fb`)).status).toBe(403)
  })

  test('relative, empty and control segments never reach a secret', async () => {
    for (const path of [
      `${mount}/data/x/../ready`,
      `${mount}/data/./ready`,
      `${mount}//data/ready`,
      `${mount}/data/%2e%2e/ready`,
      `${mount}/data/re%00ady`,
    ])
      expect(await raw(line('GET', path), 1)).not.toContain(200)
  })
})

describe('bodies', () => {
  test('what is no JSON object is 400', async () => {
    for (const body of ['{', '[]', '"text"', '{"data":'])
      expect(ANY_OF.noObject).toContain((await vault.root('POST', `${mount}/data/ready`, body)).status)
  })

  test('a negative wrap TTL is 400', async () => {
    const headers = { 'x-vault-wrap-ttl': '-5' }
    expect((await vault.root('GET', `${mount}/data/ready`, undefined, headers)).status).toBe(400)
  })
})
