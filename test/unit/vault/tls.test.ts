import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { VaultClient, vaultNames, type VaultOptions } from '#lib/vault'

const pem = (name: string) =>
  readFileSync(new URL(`../../support/certificates/${name}`, import.meta.url), 'utf8')
const KEY = vaultNames({ cluster: 'demo', environment: 'dev' }).secret('openai-api-key')
const entry = { data: { data: { value: 'v' }, metadata: { version: 3 } } }
const authority = pem('ca.pem')
/** Who asked, by the certificate's name. */
const callers: unknown[] = []

const server = createServer(
  {
    ca: authority,
    cert: pem('server.pem'),
    key: pem('server.key'),
    requestCert: true,
    rejectUnauthorized: true,
  },
  (request, response) => {
    callers.push((request.socket as TLSSocket).getPeerCertificate().subject.CN)
    response.setHeader('content-type', 'application/json').end(JSON.stringify(entry))
  },
)
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => void server.close())

async function read(options: Partial<VaultOptions>): Promise<unknown> {
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  await using client = await VaultClient.open({ address, random: () => 0, ...options })
  return await client.kvRead('t', KEY).catch((error: unknown) => error)
}

test('a Vault that asks for a certificate gets ours, and is known by its own', async () => {
  const own = { ca: authority, cert: pem('client.pem'), key: pem('client.key') }
  expect(await read(own)).toEqual({ data: { value: 'v' }, version: 3 })
  expect(callers).toEqual(['client'])
})

test.each([
  ['without a certificate of ours', { ca: authority }],
  ['whose authority we do not know', { cert: pem('client.pem'), key: pem('client.key') }],
])('a Vault %s is not reached', async (_, options) => {
  const before = callers.length
  expect(await read(options)).toMatchObject({ kind: 'network' })
  expect(callers).toHaveLength(before)
})

test('no variable of the environment turns the check of its certificate off', async () => {
  for (const name of ['VAULT_SKIP_VERIFY', 'VAULT_TLS_SKIP_VERIFY']) vi.stubEnv(name, 'true')
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
  onTestFinished(() => void vi.unstubAllEnvs())
  const before = callers.length
  expect(await read({ cert: pem('client.pem'), key: pem('client.key') })).toMatchObject({ kind: 'network' })
  expect(callers).toHaveLength(before)
})
