import { adminUserOf } from './admin-secret.ts'
import type { VaultClient } from './client.ts'
import { diffFields } from './diff.ts'
import { type MissingMount, missingMounts } from './mounts.ts'
import { databaseObjects, isPlanned, KINDS, type ObjectKind, objectsOf, pathOf, shelfOf } from './objects.ts'
import type { VaultObject } from './objects.ts'
import type { DesiredVault } from './policies.ts'

/** One thing that Vault holds otherwise than planned. */
export interface VaultChange {
  action: 'create' | 'update'
  kind: ObjectKind | MissingMount['kind']
  name: string
  /** What differs, for people: lines that begin with `+ `, `- ` or two spaces. */
  diff: string[]
}

/** How a Vault differs from what it shall hold. */
export interface VaultPlan {
  /** In the order in which they must be made. */
  changes: VaultChange[]
  /** What carries a name of this cluster and environment and is in no plan: what `prune` removes. */
  leftOver: Pick<VaultObject, 'kind' | 'name'>[]
  /** Databases whose admin secret has no value yet: they cannot be set up before it has. */
  waiting: { secret: string; adminSecret: string }[]
}

/** What the plan's changes are made of: a mount that is missing, or an object that differs. */
export interface Difference {
  change: VaultChange
  mount?: MissingMount
  object?: VaultObject
  /** The database that the object is of. */
  database?: DesiredVault['databases'][number] | undefined
}

/** Compares Vault with what it shall hold, and changes nothing. @throws MountTakenError, AdminSecretError, VaultError */
export async function planVault(
  client: VaultClient,
  token: string,
  desired: DesiredVault,
): Promise<VaultPlan> {
  const { differences, waiting } = await differencesOf(client, token, desired)
  const leftOver = await leftOverOf(client, token, desired)
  return { changes: differences.map(({ change }) => change), leftOver, waiting }
}

/** The same with what it takes to make the changes. */
export async function differencesOf(
  client: VaultClient,
  token: string,
  desired: DesiredVault,
): Promise<{ differences: Difference[]; waiting: VaultPlan['waiting'] }> {
  const mounts = await missingMounts(client, token, desired)
  const differences: Difference[] = mounts.map((mount) => ({ mount, change: mountChange(mount) }))
  const waiting: VaultPlan['waiting'] = []
  for (const object of objectsOf(desired)) differences.push(...(await compare(client, token, { object })))
  for (const database of desired.databases) {
    const { secret, adminSecret } = database
    const admin = await adminUserOf(client, token, { names: desired.names, secret, adminSecret })
    if (!admin) waiting.push({ secret, adminSecret })
    else
      for (const object of databaseObjects(database, admin.username))
        differences.push(...(await compare(client, token, { object, database })))
  }
  return { differences, waiting }
}

/** Everything of ours that no plan names. */
export async function leftOverOf(
  client: VaultClient,
  token: string,
  desired: DesiredVault,
): Promise<VaultPlan['leftOver']> {
  const found: VaultPlan['leftOver'] = []
  for (const kind of KINDS)
    for (const name of await client.inventory.names(token, shelfOf(kind)))
      if (desired.names.owns(name) && !isPlanned(desired, { kind, name })) found.push({ kind, name })
  return found
}

async function compare(
  client: VaultClient,
  token: string,
  planned: { object: VaultObject } & Pick<Difference, 'database'>,
): Promise<Difference[]> {
  const { kind, name, fields } = planned.object
  const found = await client.inventory.read(token, pathOf(planned.object))
  const details = found?.['connection_details']
  const diff = diffFields(fields, found && { ...found, ...(details as object) })
  if (found && diff.length === 0) return []
  return [{ ...planned, change: { action: found ? 'update' : 'create', kind, name, diff } }]
}

function mountChange({ kind, path, type, options }: MissingMount): VaultChange {
  return { action: 'create', kind, name: path, diff: diffFields({ type, options }, undefined) }
}
