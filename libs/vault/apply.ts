import { messageOf, PermanentError } from '#lib/runtime'
import type { VaultClient } from './client.ts'
import { isVaultError } from './errors.ts'
import { vaultNames, type VaultScope } from './names.ts'
import type { DesiredVault } from './policies.ts'
import type { Wrapped } from './answers.ts'

/** A database's admin secret is absent, or is not `user:password`. */
export class AdminSecretError extends PermanentError {
  override readonly name = 'AdminSecretError'
  constructor(secret: string, adminSecret: string, found: string) {
    super(`secret "${secret}": admin secret "${adminSecret}" ${found}, expected "user:password"`)
  }
}

/** Mounts and auth methods alone: what must be there before the first secret is put. Idempotent. */
export async function applyMounts(client: VaultClient, token: string, desired: DesiredVault): Promise<void> {
  const mounts = await client.admin.mounts(token)
  for (const { path, ...options } of desired.mounts)
    if (!mounts.has(`${path}/`)) await client.admin.mount(token, path, options).catch(ignoreInUse)
  const methods = await client.admin.authMethods(token)
  for (const { path, type } of desired.authMethods)
    if (!methods.has(`${path}/`)) await client.admin.enableAuth(token, path, type).catch(ignoreInUse)
}

/**
 * Makes Vault hold what was planned; the same twice changes nothing. Admin secrets of databases must lie in KV
 * (`applyMounts`, `putSecret`), and each database must answer: Vault tries the connection.
 * @throws AdminSecretError, VaultError
 */
export async function applyPolicies(
  client: VaultClient,
  token: string,
  desired: DesiredVault,
): Promise<void> {
  await applyMounts(client, token, desired)
  for (const { name, text } of desired.policies) await client.admin.putPolicy(token, name, text)
  for (const { name, role } of desired.tokenRoles) await client.admin.putTokenRole(token, name, role)
  for (const { name, role } of desired.appRoles) await client.admin.putAppRole(token, name, role)
  for (const database of desired.databases) {
    const admin = await adminOf(client, token, desired, database)
    await client.admin.putDatabaseConnection(token, database.name, { ...database.connection, ...admin })
    await client.admin.putDatabaseRole(token, database.name, database.role)
  }
}

/** Stores a static secret's value and gives its generation. `cas`: the generation it must have now, 0 for none. */
export async function putSecret(
  client: VaultClient,
  token: string,
  secret: VaultScope & { name: string; value: string; cas?: number },
): Promise<number> {
  return client.kvWrite(token, vaultNames(secret).secret(secret.name), { value: secret.value }, secret.cas)
}

/**
 * A secret-id for the sidecar, wrapped: `token` is what its `secretIdFile` holds. Whoever unwraps first has it, so a
 * sidecar that finds it used says so.
 */
export async function issueWrappedSecretId(
  client: VaultClient,
  token: string,
  options: VaultScope & { wrapTtlMs?: number },
): Promise<{ roleId: string; wrapped: Wrapped }> {
  const { sidecar } = vaultNames(options)
  const roleId = await client.admin.roleId(token, sidecar)
  const wrapped = await client.admin.wrappedSecretId(token, sidecar, options.wrapTtlMs ?? 300_000)
  return { roleId, wrapped }
}

async function adminOf(
  client: VaultClient,
  token: string,
  desired: DesiredVault,
  { secret, adminSecret }: DesiredVault['databases'][number],
): Promise<{ username: string; password: string }> {
  const entry = await client.kvRead(token, desired.names.secret(adminSecret)).catch((error: unknown) => {
    if (isVaultError(error, 'notFound')) throw new AdminSecretError(secret, adminSecret, 'is not in Vault')
    throw error
  })
  const [, username, password] = /^([^:]+):(.+)$/s.exec(String(entry.data['value'])) ?? []
  if (!username || !password) throw new AdminSecretError(secret, adminSecret, 'has another form')
  return { username, password }
}

/** Someone else mounted it in the meantime: the same end. */
function ignoreInUse(error: unknown): void {
  if (!messageOf(error).includes('path is already in use')) throw error
}
