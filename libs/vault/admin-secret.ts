import { PermanentError } from '#lib/runtime'
import type { VaultClient } from './client.ts'
import { isVaultError } from './errors.ts'
import type { VaultNames } from './names.ts'

/** A database's admin secret is not `user:password`. */
export class AdminSecretError extends PermanentError {
  override readonly name = 'AdminSecretError'
  constructor(secret: string, adminSecret: string) {
    super(`secret "${secret}": admin secret "${adminSecret}" has another form, expected "user:password"`)
  }
}

/** What a database is reached with. */
export interface AdminUser {
  username: string
  password: string
}

/** `user:password` taken apart; undefined when it is not that. */
export function parseAdminUser(value: string): AdminUser | undefined {
  const [, username, password] = /^([^:]+):(.+)$/s.exec(value) ?? []
  return username && password ? { username, password } : undefined
}

/** The user in a database's admin secret; undefined while the secret has no value. @throws AdminSecretError, VaultError */
export async function adminUserOf(
  client: VaultClient,
  token: string,
  { names, secret, adminSecret }: { names: VaultNames; secret: string; adminSecret: string },
): Promise<AdminUser | undefined> {
  const entry = await client.kvRead(token, names.secret(adminSecret)).catch((error: unknown) => {
    if (isVaultError(error, 'notFound')) return undefined
    throw error
  })
  if (!entry) return undefined
  const user = parseAdminUser(String(entry.data['value']))
  if (!user) throw new AdminSecretError(secret, adminSecret)
  return user
}
