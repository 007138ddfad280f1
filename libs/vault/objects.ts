import { type VaultPath, vaultPath } from './path.ts'
import type { DesiredVault } from './policies.ts'

/** What we keep in Vault under a name of ours, beside the mounts; in the order in which one needs the other. */
export const KINDS = ['policy', 'token role', 'AppRole', 'database connection', 'database role'] as const
export type ObjectKind = (typeof KINDS)[number]

/** One of them, as it shall be. */
export interface VaultObject {
  kind: ObjectKind
  name: string
  /** As Vault's API takes them. */
  fields: Record<string, unknown>
}

const SHELF: Record<ObjectKind, [string, ...string[]]> = {
  policy: ['sys', 'policies', 'acl'],
  'token role': ['auth', 'token', 'roles'],
  AppRole: ['auth', 'approle', 'role'],
  'database connection': ['database', 'config'],
  'database role': ['database', 'roles'],
}

/** Where all of a kind lie, ours and others'. */
export const shelfOf = (kind: ObjectKind): VaultPath => vaultPath(...SHELF[kind])
/** Where one lies. */
export const pathOf = ({ kind, name }: Pick<VaultObject, 'kind' | 'name'>): VaultPath =>
  vaultPath(...SHELF[kind], name)

/** All that a plan says of policies and roles; databases are told apart, since they wait for their admin secret. */
export function objectsOf(desired: DesiredVault): VaultObject[] {
  return [
    ...desired.policies.map(({ name, text }) => object('policy', name, { policy: text })),
    ...desired.tokenRoles.map(({ name, role }) => object('token role', name, role)),
    ...desired.appRoles.map(({ name, role }) => object('AppRole', name, role)),
  ]
}

/** A database's connection and role; the connection acts as the user of its admin secret. */
export function databaseObjects(
  database: DesiredVault['databases'][number],
  username: string,
): [connection: VaultObject, role: VaultObject] {
  const { name, connection, role } = database
  return [
    object('database connection', name, { ...connection, username }),
    object('database role', name, role),
  ]
}

/** True for a name that the plan has, whether it is in Vault already or not. */
export function isPlanned(
  desired: DesiredVault,
  { kind, name }: Pick<VaultObject, 'kind' | 'name'>,
): boolean {
  if (kind === 'database connection' || kind === 'database role')
    return desired.databases.some((database) => database.name === name)
  return objectsOf(desired).some((one) => one.kind === kind && one.name === name)
}

const object = (kind: ObjectKind, name: string, fields: Record<string, unknown>): VaultObject => ({
  kind,
  name,
  fields,
})
