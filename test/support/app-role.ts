import { expect } from 'vitest'
import type { VaultTarget } from './vault-target.ts'

/** An AppRole mount of its own. */
export async function mountAppRole(vault: VaultTarget): Promise<string> {
  const mount = `auth/${vault.unique('approle')}`
  await vault.root('POST', `sys/${mount}`, { type: 'approle' })
  return mount
}

/** A role with its role id and a way to make secret ids and log in. */
export async function makeAppRole(vault: VaultTarget, mount: string, settings: object = {}) {
  const name = vault.unique('role')
  const role = `${mount}/role/${name}`
  const written = await vault.root('POST', role, { token_policies: ['agent'], token_ttl: '5m', ...settings })
  expect(written.status).toBe(204)
  const roleId: string = (await vault.root('GET', `${role}/role-id`)).body.data.role_id
  const secretId = (body: object = {}) => vault.root('POST', `${role}/secret-id`, body)
  const login = (secret: string) =>
    vault.as('')('POST', `${mount}/login`, { role_id: roleId, secret_id: secret })
  return { name, role, roleId, secretId, login }
}
