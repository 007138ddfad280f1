import type { Clock, Log } from '#lib/runtime'
import { PolicyStore } from './acl/policy-store.ts'
import { AuditDevices } from './audit/audit-devices.ts'
import { AppRoleEngine } from './approle/approle-engine.ts'
import { Core } from './core.ts'
import { DatabaseEngine } from './database/database-engine.ts'
import type { SqlExecutor } from './database/sql-executor.ts'
import { kvEngine } from './kv/kv-engine.ts'
import { LeaseStore } from './leases.ts'
import { Router } from './router.ts'
import { Seal } from './seal/seal.ts'
import { auditRoutes } from './sys/audit-routes.ts'
import { capabilityRoutes } from './sys/capability-routes.ts'
import { leaseRoutes } from './sys/lease-routes.ts'
import { mountRoutes, type MountParts } from './sys/mount-routes.ts'
import { policyRoutes } from './sys/policy-routes.ts'
import { sealRoutes } from './sys/seal-routes.ts'
import { statusRoutes } from './sys/status.ts'
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
  leases: LeaseStore
  router: Router
  /** Makes a root token without end: this one, or a new one. */
  makeRoot: (id?: string) => string
}

/** Sealed and empty at first. */
export function assemble(options: AssemblyOptions): Assembly {
  const { clock } = options
  const leases = new LeaseStore(options)
  const seal = new Seal()
  const audit = new AuditDevices(options.log)
  const policies = new PolicyStore()
  const tokens = new TokenStore({ clock, leases })
  const wrapping = new Wrapping({ clock, tokens })
  const router = new Router()
  const makeRoot = (id?: string) => makeRootToken(tokens, id)
  const mounts: MountParts = {
    router,
    leases,
    engines: (type, mountOptions) =>
      engineOf(type, mountOptions, { ...options, leases, isSealed: () => seal.facts.sealed }),
    methods: (type) => (type === 'approle' ? new AppRoleEngine({ clock, tokens }) : undefined),
  }
  const sys = [
    ...statusRoutes(clock, seal),
    ...sealRoutes({
      seal,
      found: makeRoot,
      onOpen: () => leases.resume(),
      onClose: () => leases.pause(),
    }),
    ...mountRoutes(mounts),
    ...auditRoutes(audit),
    ...policyRoutes(policies),
    ...capabilityRoutes(policies, tokens),
    ...leaseRoutes(clock, leases),
    ...wrapping.routes(),
  ]
  router.mount({ path: 'sys/', engine: { type: 'system', routes: sys } })
  const roles = new TokenRoles()
  router.mount({ path: 'auth/token/', engine: tokenEngine({ clock, policies, tokens, roles }) })
  const core = new Core({ clock, audit, seal, router, policies, tokens, leases, wrapping })
  return { core, audit, seal, leases, router, makeRoot }
}

function makeRootToken(tokens: TokenStore, id?: string): string {
  return tokens.create({
    ...(id !== undefined && { id }),
    policies: ['root'],
    path: 'auth/token/root',
    displayName: 'root',
    ttlMs: 0,
    renewable: false,
  }).token
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
