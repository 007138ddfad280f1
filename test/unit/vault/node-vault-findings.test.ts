import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { VaultError, vaultNames, vaultPath } from '#lib/vault'
import { askBehindProxy } from '../../support/behind-proxy.ts'
import { answer, stubVault } from '../../support/vault-stub.ts'

/** The `debug` that node-vault prints with: DEBUG is read when it is loaded, so it is switched on here. */
const require = createRequire(createRequire(import.meta.url).resolve('node-vault'))
const nodeVaultDebug = require('debug') as Record<'enable' | 'enabled', (name: string) => boolean> & {
  disable: () => void
}
const names = vaultNames({ cluster: 'demo', environment: 'dev' })
const KEY = names.secret('openai-api-key')
const TOKEN = 'hvs.canary-token-7f3a'
const auth = (token: string) => ({
  auth: { client_token: token, accessor: 'acc', policies: ['p'], lease_duration: 60, renewable: false },
})
const value = { data: { data: { value: 'canary-value-91c2' }, metadata: { version: 3 } } }
const failure = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => error as VaultError,
  )
const printed = (error: unknown) =>
  [
    inspect(error, { depth: 9, showHidden: true }),
    JSON.stringify(error),
    String((error as Error).stack),
  ].join('\n')

afterEach(() => vi.unstubAllEnvs())

describe('what node-vault 0.12 does wrong, through our transport', () => {
  test('1: a queued revocation (202) is a success, and sync is sent', async () => {
    await using vault = await stubVault((_request, response) => answer(response, 202))
    await using client = await vault.client()
    await client.leaseRevoke(TOKEN, 'database/creds/x/1', { sync: true })
    expect(JSON.parse(vault.seen[0]!.body)).toEqual({ lease_id: 'database/creds/x/1', sync: true })
  })

  test('2: minting a child and renewing do not change whom later calls act as', async () => {
    await using vault = await stubVault(({ method }, response) =>
      answer(response, 200, method === 'POST' ? auth('hvs.child') : value),
    )
    await using client = await vault.client()
    await client.createToken(TOKEN, 'role', { ttlMs: 1000 })
    await client.renewSelf(TOKEN)
    await client.approleLogin({ roleId: 'r', secretId: 's' })
    await client.kvRead('hvs.other', KEY)
    await client.wrapLookup('hvs.wrap').catch(() => {})
    expect(vault.seen.map(({ headers }) => headers['x-vault-token'])).toEqual([
      TOKEN,
      TOKEN,
      undefined,
      'hvs.other',
      undefined,
    ])
  })

  test('3: every field of a mint is sent', async () => {
    await using vault = await stubVault((_request, response) => answer(response, 200, auth('hvs.child')))
    await using client = await vault.client()
    const meta = { request: 'a.1' }
    await client.createToken(TOKEN, 'role', { ttlMs: 1500, explicitMaxTtlMs: 9000, meta, displayName: 'd' })
    expect(JSON.parse(vault.seen[0]!.body)).toEqual({
      ttl: '2s',
      explicit_max_ttl: '9s',
      meta,
      display_name: 'd',
    })
  })

  test('5: a redirect is not followed, so the token goes to no other host', async () => {
    await using thief = await stubVault((_request, response) => answer(response, 200, value))
    await using vault = await stubVault((request, response) => {
      response.writeHead(307, { location: thief.address + request.url }).end()
    })
    await using client = await vault.client()
    const error = await failure(client.kvRead(TOKEN, KEY))
    expect(error).toMatchObject({ kind: 'standby', status: 307 })
    expect(thief.seen).toEqual([])
  })

  test('6: no proxy of the environment is used, where fetch uses it', async () => {
    await using proxy = await stubVault((_request, response) => answer(response, 200, value))
    await using vault = await stubVault((_request, response) => answer(response, 200, value))
    await askBehindProxy({ vault: vault.address, proxy: proxy.address })
    expect(vault.seen).toHaveLength(1)
    expect(proxy.seen).toHaveLength(1)
  })

  test.each([
    [
      'a refusal',
      (r: Parameters<typeof answer>[0]) => answer(r, 403, { errors: [`no ${TOKEN} secret-canary`] }),
    ],
    ['a broken connection', (r: Parameters<typeof answer>[0]) => r.destroy()],
    ['garbage', (r: Parameters<typeof answer>[0]) => r.end(`<html>${TOKEN} secret-canary</html>`)],
    ['a wrong shape', (r: Parameters<typeof answer>[0]) => answer(r, 200, { data: TOKEN })],
  ])(
    '7: after %s the error shows no token, header or body, however it is printed',
    async (_what, respond) => {
      await using vault = await stubVault((_request, response) => respond(response))
      await using client = await vault.client()
      const error = await failure(client.kvWrite(TOKEN, KEY, { value: 'secret-canary' }))
      expect(error).toBeInstanceOf(VaultError)
      expect(printed(error)).not.toMatch(/canary|x-vault-token|authorization/i)
      expect(error.message).toContain('POST kv/data/tb/demo/dev/openai-api-key')
    },
  )

  test('8: DEBUG=node-vault prints nothing', async () => {
    nodeVaultDebug.enable('node-vault')
    expect(nodeVaultDebug.enabled('node-vault')).toBe(true)
    const out = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    await using vault = await stubVault((_request, response) =>
      answer(response, 200, { data: { version: 1 } }),
    )
    await using client = await vault.client()
    await client.kvWrite(TOKEN, KEY, { value: 'secret-canary' })
    const text = out.mock.calls.map(([chunk]) => String(chunk)).join('')
    out.mockRestore()
    nodeVaultDebug.disable()
    expect(text).not.toContain('canary')
  })

  test('9: a refused path that contains sys/health is refused', async () => {
    await using vault = await stubVault((_request, response) =>
      answer(response, 403, { errors: ['permission denied'] }),
    )
    await using client = await vault.client()
    const error = await failure(client.kvRead(TOKEN, vaultPath('secret', 'data', 'sys', 'health')))
    expect(error).toMatchObject({
      kind: 'denied',
      status: 403,
      retryable: false,
      reason: 'permission denied',
    })
  })

  test('9: health itself tells a sealed and a standby node from an active one', async () => {
    const states = [200, 429, 503, 501]
    await using vault = await stubVault((_request, response, nth) =>
      answer(response, states[nth - 1]!, {
        initialized: nth !== 4,
        sealed: nth === 3,
        standby: nth === 2,
        version: '1.0',
      }),
    )
    await using client = await vault.client()
    expect(await client.health()).toEqual({
      initialized: true,
      sealed: false,
      standby: false,
      version: '1.0',
    })
    expect(await client.health()).toMatchObject({ standby: true })
    expect(await client.health()).toMatchObject({ sealed: true })
    expect(await client.health()).toMatchObject({ initialized: false })
  })

  test('10 and 11: headers are fresh on every call, and a wrap TTL stays on its own', async () => {
    const wrapped = { token: 'w', accessor: 'a', ttl: 300, creation_path: names.sidecarSecretId }
    await using vault = await stubVault((_request, response) =>
      answer(response, 200, { ...value, wrap_info: wrapped }),
    )
    await using client = await vault.client({ namespace: 'team' })
    await client.admin.wrappedSecretId(TOKEN, names.sidecar, 300_000)
    await client.kvRead('hvs.b', KEY)
    const [first, second] = vault.seen.map(({ headers }) => headers)
    expect(first).toMatchObject({
      'x-vault-wrap-ttl': '300s',
      'x-vault-token': TOKEN,
      'x-vault-namespace': 'team',
    })
    expect(second).toMatchObject({ 'x-vault-token': 'hvs.b', 'x-vault-namespace': 'team' })
    expect(second).not.toHaveProperty('x-vault-wrap-ttl')
  })

  test('12: a segment that could change the path is refused before anything is sent', async () => {
    const odd = [
      '',
      '.',
      '..',
      'a/b',
      'a?b',
      'a#b',
      'a%2fb',
      'a b',
      'x.',
      '+',
      '*',
      'a\n',
      'ü',
      '\\',
      'a&#x2F;b',
    ]
    for (const segment of odd) expect(() => vaultPath('kv', segment), segment).toThrow(/expected letters/)
    expect(vaultPath('kv', 'data', 'a.b_c@d:e=f+g~h-i')).toBe('kv/data/a.b_c@d:e=f+g~h-i')
  })

  test('13: the kind, status and Retry-After survive', async () => {
    await using vault = await stubVault((_request, response) => {
      response.setHeader('retry-after', '7')
      answer(response, 429, { errors: ['request path "kv/x": rate limit quota exceeded'] })
    })
    await using client = await vault.client()
    expect(await failure(client.kvRead(TOKEN, KEY))).toMatchObject({
      kind: 'rateLimited',
      status: 429,
      retryable: true,
      retryAfterMs: 7000,
      reason: 'rate limit quota exceeded',
    })
  })

  test("14: a proxy's page with status 200 is no success", async () => {
    await using vault = await stubVault((_request, response) => response.end('<html>welcome</html>'))
    await using client = await vault.client()
    expect(await failure(client.kvRead(TOKEN, KEY))).toMatchObject({
      reason: 'the answer is not JSON',
      retryable: false,
    })
  })

  test('14: a server that never answers costs the timeout and no more', async () => {
    await using vault = await stubVault(() => {})
    await using client = await vault.client({ totalTimeoutMs: 80 })
    expect(await failure(client.kvRead(TOKEN, KEY))).toMatchObject({ kind: 'timeout', retryable: true })
  })

  test('14: an answer above 1 MiB is cut', async () => {
    await using vault = await stubVault((_request, response) =>
      answer(response, 200, { data: { data: { value: 'x'.repeat(2 ** 20) }, metadata: { version: 1 } } }),
    )
    await using client = await vault.client()
    const error = await failure(client.kvRead(TOKEN, KEY))
    expect(error).toMatchObject({ kind: 'server', retryable: false, reason: 'the answer exceeds 1 MiB' })
    expect(vault.seen).toHaveLength(1)
  })

  test('15 and others: no VAULT_ variable has an effect', async () => {
    await using thief = await stubVault((_request, response) => answer(response, 200, value))
    const env = {
      ADDR: thief.address,
      TOKEN: 'hvs.env',
      NAMESPACE: 'env',
      PREFIX: '/env',
      SKIP_VERIFY: 'false',
    }
    for (const [name, text] of Object.entries(env)) vi.stubEnv(`VAULT_${name}`, text)
    await using vault = await stubVault((_request, response) => answer(response, 200, value))
    await using client = await vault.client()
    await client.kvRead('', KEY)
    await client.health().catch(() => {})
    expect(thief.seen).toEqual([])
    expect(vault.seen.map(({ url }) => url)).toEqual([`/v1/${KEY}`, '/v1/sys/health'])
    for (const { headers } of vault.seen) {
      expect(headers).not.toHaveProperty('x-vault-token')
      expect(headers).not.toHaveProperty('x-vault-namespace')
    }
  })
})
