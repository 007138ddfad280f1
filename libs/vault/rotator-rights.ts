import type { VaultNames } from './names.ts'
import { policy, rule } from './policy-text.ts'

/** A static secret that the rotator gives new values. */
export interface RotatedSecret {
  secret: string
  /** What it makes them with at the provider. */
  adminSecret?: string | undefined
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
  return rights
}

/** The same as a policy. */
export function rotatorPolicy(names: VaultNames, rotated: readonly RotatedSecret[]): string {
  return policy(
    names,
    [...rotatorRights(names, rotated)].map(([path, verbs]) => rule(path, verbs)),
  )
}
