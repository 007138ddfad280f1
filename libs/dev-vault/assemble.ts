import type { Clock, Log } from '#lib/runtime'
import { PolicyStore } from './acl/policy-store.ts'
import { AppRoleEngine } from './approle/approle-engine.ts'
import { AuditDevices } from './audit/audit-devices.ts'
import { Core } from './core.ts'
import { DatabaseEngine } from './database/database-engine.ts'
import type { SqlExecutor } from './database/sql-executor.ts'
import { kvEngine } from './kv/kv-engine.ts'
import { LeaseStore } from './leases.ts'
import { Router } from './router.ts'
import { Seal } from './seal/seal.ts'
import type { FileStore } from './store/file-store.ts'
import { Persistence } from './store/persistence.ts'
import type { StatefulParts } from './store/state.ts'
import { auditRoutes } from './sys/audit-routes.ts'
import { capabilityRoutes } from './sys/capability-routes.ts'
import { leaseRoutes } from './sys/lease-routes.ts'
import { mountRoutes, type MountParts } from './sys/mount-routes.ts'
import { policyRoutes } from './sys/policy-routes.ts'
import { sealRoutes, type SealParts } from './sys/seal-routes.ts'
import { statusRoutes } from './sys/status.ts'
import type { RenewalLimits, TokenEntry } from './tokens/token-entry.ts'
import { tokenEngine } from './tokens/token-engine.ts'
import { TokenRoles } from './tokens/token-roles.ts'
import { TokenStore } from './tokens/token-store.ts'
import { Wrapping } from './wrapping.ts'

export interface AssemblyOptions {
  clock: Clock
  log: Log
  sqlExecutor?: SqlExecutor
}

/** All parts of a dev Vault but its HTTP server, wired together. */
export interface Assembly {
  core: Core
  audit: AuditDevices
  seal: Seal
  tokens: TokenStore
  leases: LeaseStore
  router: Router
  persistence: Persistence
}

/** Sealed, and empty until it is initialised or unsealed. */
export function assemble(options: AssemblyOptions, store?: FileStore): Assembly {
  const { clock } = options
  const parts = makeParts(options, store)
  const { seal, audit, policies, tokens, roles, leases, router } = parts
  const wrapping = new Wrapping({ clock, tokens })
  const mounts = mountPartsOf(options, parts)
  const engine: StatefulParts['engine'] = ({ path, type, options: given }) =>
    path.startsWith('auth/') ? mounts.methods(type, given) : mounts.engines(type, given)
  const persistence = new Persistence({ seal, store, parts: { ...parts, engine } })
  leases.whenChanged(() => void persistence.save().catch(() => {}))
  const sys = [
    ...statusRoutes(clock, seal),
    ...sealRoutes(sealParts(parts, persistence)),
    ...mountRoutes(mounts),
    ...auditRoutes(audit),
    ...policyRoutes(policies),
    ...capabilityRoutes(policies, tokens),
    ...leaseRoutes(clock, leases),
    ...wrapping.routes(),
  ]
  router.mount({ path: 'sys/', engine: { type: 'system', routes: sys } })
  router.mount({ path: 'auth/token/', engine: tokenEngine({ clock, policies, tokens, roles }) })
  return { ...parts, persistence, core: new Core({ ...parts, clock, wrapping, persistence }) }
}

function makeParts(options: AssemblyOptions, store: FileStore | undefined) {
  const leases = new LeaseStore(options)
  const router = new Router()
  const roles = new TokenRoles()
  const { clock } = options
  return {
    seal: new Seal(store?.readKeyring()),
    audit: new AuditDevices(options.log),
    policies: new PolicyStore(),
    roles,
    router,
    leases,
    tokens: new TokenStore({ clock, leases, limitsOf: (entry) => limitsOf(entry, roles, router) }),
  }
}

type Parts = ReturnType<typeof makeParts>

function mountPartsOf(options: AssemblyOptions, { router, leases, seal, tokens }: Parts): MountParts {
  const { clock } = options
  const isSealed = () => seal.facts.sealed
  return {
    router,
    leases,
    engines: (type, mountOptions) => engineOf(type, mountOptions, { ...options, leases, isSealed }),
    methods: (type) => (type === 'approle' ? new AppRoleEngine({ clock, tokens }) : undefined),
  }
}

function sealParts({ seal, tokens, leases }: Parts, persistence: Persistence): SealParts {
  return {
    seal,
    found: async () => {
      const { token } = tokens.createRoot()
      await persistence.found()
      return token
    },
    onOpen: () => {
      persistence.restoreOnce()
      leases.resume()
    },
    onClose: () => leases.pause(),
  }
}

/** What counts at a renewal: a token role's limits, or an auth method's. */
function limitsOf(entry: TokenEntry, roles: TokenRoles, router: Router): RenewalLimits | undefined {
  if (entry.role !== undefined) return roles.limitsOf(entry.role)
  const mount = router.mountOf(entry.path)
  return mount?.engine.limitsOf?.(entry, mount)
}

/** KV version 1 is not served: asked for, it is refused rather than version 2 given. */
function engineOf(
  type: string,
  mountOptions: Record<string, string>,
  parts: AssemblyOptions & { leases: LeaseStore; isSealed: () => boolean },
) {
  if (type === 'kv-v2' || (type === 'kv' && mountOptions['version'] === '2')) return kvEngine(parts.clock)
  if (type === 'database') return new DatabaseEngine({ sqlExecutor: undefined, ...parts })
  return undefined
}
