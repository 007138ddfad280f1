import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../support/directory.ts'
import { secretsWorld } from '../../support/secrets-world.ts'
import { vaultOptions } from '#lib/vault'
import { type IdentityConfig, openIdentity } from '../../../services/sidecar/identity.ts'

const parts = () => secretsWorld() as unknown as Parameters<typeof openIdentity>[1]

test.each<IdentityConfig>([
  {},
  { secretIdFile: '/a' },
  { roleIdFile: '/a', secretIdFile: '/b', tokenFile: '/c' },
  { kubernetesRole: 'sidecar', tokenFile: '/c' },
])('a sidecar is told of one login, and of one alone: %o', async (config) => {
  await expect(openIdentity(config, parts())).rejects.toThrow(
    /expected one login: TB_VAULT_ROLE_ID_FILE and TB_VAULT_SECRET_ID_FILE, or TB_VAULT_KUBERNETES_ROLE, or TB_VAULT_TOKEN_FILE/,
  )
})

test('a file that is missing is named', async () => {
  using folder = temporaryDirectory()
  const tokenFile = join(folder.path, 'token')
  await expect(openIdentity({ tokenFile }, parts())).rejects.toThrow(
    `cannot read the credential file ${tokenFile}: ENOENT`,
  )
})

test('a certificate without its key is refused by name', () => {
  expect(() => vaultOptions({ address: 'https://vault:8200', certFile: '/a' })).toThrow(
    'TB_VAULT_CERT_FILE and TB_VAULT_KEY_FILE: expected both or neither',
  )
  expect(vaultOptions({ address: 'https://vault:8200', namespace: 'team' })).toMatchObject({
    namespace: 'team',
  })
})
