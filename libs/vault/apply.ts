import { messageOf, PermanentError } from '#lib/runtime'
import { type AdminUser, adminUserOf } from './admin-secret.ts'
import type { Wrapped } from './answers.ts'
import type { VaultClient } from './client.ts'
import { isVaultError } from './errors.ts'
import { missingMounts, type MissingMount } from './mounts.ts'
import { vaultNames, type VaultScope, type VaultService } from './names.ts'
import { databaseObjects, pathOf, type VaultObject } from './objects.ts'
import { type Difference, differencesOf, type VaultPlan } from './plan.ts'
import type { DesiredVault } from './policies.ts'

type Database = DesiredVault['databases'][number]

/** Vault's database engine did not take a connection: it tries each one, as the user of its admin secret. */
export class DatabaseRefusedError extends PermanentError {
  override readonly name = 'DatabaseRefusedError'
  constructor({ secret, adminSecret, connection }: Database, options: ErrorOptions) {
    const where = String(connection['connection_url']).replace(/^.*@/, '')
    super(
      `secret "${secret}": Vault cannot use the database ${where} as the user in "${adminSecret}": ` +
        'is it reachable from Vault, and are user and password right?',
      options,
    )
  }
}

/** Mounts and auth methods alone: what must be there before the first secret is put. Idempotent. @throws MountTakenError */
export async function applyMounts(client: VaultClient, token: string, desired: DesiredVault): Promise<void> {
  for (const mount of await missingMounts(client, token, desired)) await makeMount(client, token, mount)
}

/**
 * Makes Vault hold what was planned, and writes only what differs; the same twice changes nothing. A database whose
 * admin secret has no value yet is left out and given back as `waiting`; the others must answer: Vault tries them.
 * @throws MountTakenError before anything is changed; AdminSecretError, DatabaseRefusedError, VaultError
 */
export async function applyPolicies(
  client: VaultClient,
  token: string,
  desired: DesiredVault,
): Promise<Pick<VaultPlan, 'changes' | 'waiting'>> {
  const { differences, waiting } = await differencesOf(client, token, desired)
  for (const difference of differences) await make(client, token, { ...difference, desired })
  return { changes: differences.map(({ change }) => change), waiting }
}

/**
 * Sets up the databases that use an admin secret which is about to get a value: Vault's engine keeps a copy of its own,
 * whose change no comparison can see. Vault tries the user first. Gives the dynamic secrets that it concerned.
 * @throws DatabaseRefusedError, with the databases before it already changed
 */
export async function connectDatabases(
  client: VaultClient,
  token: string,
  { desired, adminSecret, admin }: { desired: DesiredVault; adminSecret: string; admin: AdminUser },
): Promise<string[]> {
  const concerned = desired.databases.filter((database) => database.adminSecret === adminSecret)
  for (const database of concerned) {
    const [connection, role] = databaseObjects(database, admin.username)
    await writeConnection(client, token, { database, connection, admin })
    await client.inventory.write(token, pathOf(role), role.fields)
  }
  return concerned.map(({ secret }) => secret)
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
 * A secret-id for a service (default: the sidecar), wrapped: `token` is what its `secretIdFile` holds. Whoever unwraps
 * first has it, so a service that finds it used says so.
 */
export async function issueWrappedSecretId(
  client: VaultClient,
  token: string,
  options: VaultScope & { service?: VaultService; wrapTtlMs?: number },
): Promise<{ roleId: string; wrapped: Wrapped }> {
  const role = vaultNames(options)[options.service ?? 'sidecar']
  const roleId = await client.admin.roleId(token, role)
  const wrapped = await client.admin.wrappedSecretId(token, role, options.wrapTtlMs ?? 300_000)
  return { roleId, wrapped }
}

interface Making extends Pick<Difference, 'mount' | 'object' | 'database'> {
  desired: DesiredVault
}

async function make(client: VaultClient, token: string, making: Making): Promise<void> {
  const { mount, object, database, desired } = making
  if (mount) return makeMount(client, token, mount)
  if (!object) return undefined
  if (object.kind !== 'database connection' || !database)
    return client.inventory.write(token, pathOf(object), object.fields)
  const { secret, adminSecret } = database
  const admin = await adminUserOf(client, token, { names: desired.names, secret, adminSecret })
  if (admin) await writeConnection(client, token, { database, connection: object, admin })
}

async function writeConnection(
  client: VaultClient,
  token: string,
  { database, connection, admin }: { database: Database; connection: VaultObject; admin: AdminUser },
): Promise<void> {
  const fields = { ...connection.fields, ...admin }
  await client.inventory.write(token, pathOf(connection), fields, true).catch((cause: unknown) => {
    throw isVaultError(cause, 'badRequest', 'server') ? new DatabaseRefusedError(database, { cause }) : cause
  })
}

function makeMount(
  client: VaultClient,
  token: string,
  { kind, path, ...options }: MissingMount,
): Promise<void> {
  if (kind === 'mount') return client.admin.mount(token, path, options).catch(ignoreInUse)
  return client.admin.enableAuth(token, path, options.type).catch(ignoreInUse)
}

/** Someone else mounted it in the meantime: the same end. */
function ignoreInUse(error: unknown): void {
  if (!messageOf(error).includes('path is already in use')) throw error
}
