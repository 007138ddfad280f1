import type { PolicyStore } from '../acl/policy-store.ts'
import type { AuditDevices, SavedDevice } from '../audit/audit-devices.ts'
import type { Engine } from '../engine.ts'
import type { LeaseRecord, LeaseStore } from '../leases.ts'
import type { Mount, Router } from '../router.ts'
import type { TokenRole, TokenRoles } from '../tokens/token-roles.ts'
import type { SavedTokens, TokenStore } from '../tokens/token-store.ts'

/** All parts that know something. */
export interface StatefulParts {
  policies: PolicyStore
  tokens: TokenStore
  roles: TokenRoles
  leases: LeaseStore
  router: Router
  audit: AuditDevices
  /** Makes the engine of a mount anew. */
  engine: (mount: { path: string; type: string; options: Record<string, string> }) => Engine | undefined
}

type SavedMount = Omit<Mount, 'engine'> & { type: string; engine: unknown }

/** Everything that the Vault knows, as structured data. */
export interface SavedState {
  policies: [string, string][]
  tokens: SavedTokens
  roles: TokenRole[]
  mounts: SavedMount[]
  leases: LeaseRecord[]
  audit: SavedDevice[]
}

/** Mounts that are always there. */
const BUILT_IN = ['sys/', 'auth/token/']

export function collectState({ policies, tokens, roles, leases, router, audit }: StatefulParts): SavedState {
  return {
    policies: policies.save(),
    tokens: tokens.save(),
    roles: roles.save(),
    mounts: router
      .mounts()
      .filter(({ path }) => !BUILT_IN.includes(path))
      .map(({ engine, ...mount }) => ({ ...mount, type: engine.type, engine: engine.save?.() })),
    leases: leases.save(),
    audit: audit.save(),
  }
}

/** Fills parts that are as new. */
export function restoreState(parts: StatefulParts, saved: SavedState): void {
  parts.policies.load(saved.policies)
  parts.roles.load(saved.roles)
  for (const mount of saved.mounts) restoreMount(parts, mount)
  parts.tokens.load(saved.tokens)
  parts.leases.load(saved.leases, (record) => {
    if (record.kind === 'token') return parts.tokens.bindLife(record)
    const mount = parts.router.mountOf(record.path)
    return mount?.engine.bindLease?.(record, mount)
  })
  parts.audit.load(saved.audit)
}

function restoreMount({ engine, router }: StatefulParts, saved: SavedMount): void {
  const { type, engine: content, ...mount } = saved
  const made = engine({ path: mount.path, type, options: mount.options ?? {} })
  if (!made) throw new Error(`mount ${mount.path}: no engine of type "${type}" is served here`)
  made.load?.(content)
  router.mount({ ...mount, engine: made })
}
