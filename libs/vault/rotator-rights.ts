import type { VaultNames } from './names.ts'
import { vaultPath } from './path.ts'
import { policy, rule } from './policy-text.ts'

/** A static secret that the rotator gives new values. */
export interface RotatedSecret {
  secret: string
  /** What it makes them with at the provider. */
  adminSecret?: string | undefined
  /** The AppRole whose secret-ids it makes, where the secret is one. */
  appRole?: string | undefined
}

/**
 * What the rotator may do, by path: write the secrets that it rotates, their records and pending values, and read what it
 * makes new values with. A pending value goes with all its versions; a live one is never deleted.
 */
export function rotatorRights(names: VaultNames, rotated: readonly RotatedSecret[]): Map<string, string[]> {
  const rights = new Map([
    ['auth/token/lookup-self', ['read']],
    ['auth/token/renew-self', ['update']],
    ['auth/token/revoke-self', ['update']],
  ])
  for (const { adminSecret } of rotated) if (adminSecret) rights.set(names.secret(adminSecret), ['read'])
  for (const { secret } of rotated) {
    for (const path of [names.secret(secret), names.rotation(secret), names.pending(secret)])
      rights.set(path, ['create', 'read', 'update'])
    rights.set(names.pendingMetadata(secret), ['delete'])
  }
  for (const { appRole } of rotated)
    if (appRole) for (const [path, verbs] of secretIdRights(appRole)) rights.set(path, verbs)
  return rights
}

/** Make, find and end an AppRole's secret-ids: what the role itself may is not to be changed. */
function secretIdRights(appRole: string): [string, string[]][] {
  const below = (...rest: string[]) => vaultPath('auth', 'approle', 'role', appRole, ...rest)
  return [
    [below('role-id'), ['read']],
    [below('secret-id'), ['list', 'update']],
    [below('secret-id', 'lookup'), ['update']],
    [below('secret-id-accessor', 'lookup'), ['update']],
    [below('secret-id-accessor', 'destroy'), ['update']],
  ]
}

/** The same as a policy. */
export function rotatorPolicy(names: VaultNames, rotated: readonly RotatedSecret[]): string {
  return policy(
    names,
    [...rotatorRights(names, rotated)].map(([path, verbs]) => rule(path, verbs)),
  )
}
