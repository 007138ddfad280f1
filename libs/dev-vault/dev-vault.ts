import type { Clock, Log } from '#lib/runtime'
import { PolicyStore } from './acl/policy-store.ts'
import { AppRoleEngine } from './approle/approle-engine.ts'
import { Core } from './core.ts'
import { DatabaseEngine } from './database/database-engine.ts'
import type { SqlExecutor } from './database/sql-executor.ts'
import { HttpServer } from './http/server.ts'
import { kvEngine } from './kv/kv-engine.ts'
import { LeaseStore } from './leases.ts'
import { refuseNonLoopback } from './loopback.ts'
import { Router } from './router.ts'
import { capabilityRoutes } from './sys/capability-routes.ts'
import { leaseRoutes } from './sys/lease-routes.ts'
import { mountRoutes, type MountParts } from './sys/mount-routes.ts'
import { policyRoutes } from './sys/policy-routes.ts'
import { statusRoutes } from './sys/status.ts'
import { tokenEngine } from './tokens/token-engine.ts'
import { TokenRoles } from './tokens/token-roles.ts'
import { TokenStore } from './tokens/token-store.ts'
import { Wrapping } from './wrapping.ts'

/** What a dev Vault runs with. */
export interface DevVaultOptions {
  clock: Clock
  /** The root token it accepts, at least 16 characters. */
  rootToken: string
  /** Runs the database engine's SQL; without it only the database plugin `fake` is there. Disposed by who made it. */
  sqlExecutor?: SqlExecutor
  log: Log
  /** A loopback address. Default: 127.0.0.1. */
  host?: string
  /** Default: 0, any free port. */
  port?: number
}

/** A running dev Vault. All of it is in memory; its end revokes the secrets that are still leased. */
export class DevVault implements AsyncDisposable {
  readonly #leases: LeaseStore
  readonly #http: HttpServer

  /** @throws RefusedHostError | WeakRootTokenError */
  static async open(options: DevVaultOptions): Promise<DevVault> {
    const host = options.host ?? '127.0.0.1'
    refuseNonLoopback(host)
    refuseWeakRoot(options.rootToken)
    const leases = new LeaseStore(options)
    const http = await HttpServer.open({
      core: assemble(options, leases),
      log: options.log,
      host,
      port: options.port ?? 0,
    }).catch(async (error: unknown) => {
      await leases[Symbol.asyncDispose]()
      throw error
    })
    options.log.warn(
      { address: http.address },
      'DEV VAULT: in memory, without TLS, audit or seal. Never use it in production.',
    )
    return new DevVault(leases, http)
  }

  private constructor(leases: LeaseStore, http: HttpServer) {
    this.#leases = leases
    this.#http = http
  }

  /** Its base URL, for VAULT_ADDR. */
  get address(): string {
    return this.#http.address
  }

  /** Resolves when no revocation is under way. */
  settled(): Promise<void> {
    return this.#leases.settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]()
    await this.#leases[Symbol.asyncDispose]()
  }
}

/** The root token guards everything: a guessable one is refused. */
export class WeakRootTokenError extends Error {
  override readonly name = 'WeakRootTokenError'
  constructor() {
    super('rootToken: expected at least 16 characters without white space')
  }
}

function refuseWeakRoot(rootToken: string): void {
  if (!/^\S{16,}$/.test(rootToken)) throw new WeakRootTokenError()
}

function assemble(options: DevVaultOptions, leases: LeaseStore): Core {
  const { clock } = options
  const policies = new PolicyStore()
  const tokens = new TokenStore({ clock, leases })
  const wrapping = new Wrapping({ clock, tokens })
  const router = new Router()
  const mounts: MountParts = {
    router,
    leases,
    engines: (type, mountOptions) => engineOf(type, mountOptions, options, leases),
    methods: (type) => (type === 'approle' ? new AppRoleEngine({ clock, tokens }) : undefined),
  }
  const sys = [
    ...statusRoutes(clock),
    ...mountRoutes(mounts),
    ...policyRoutes(policies),
    ...capabilityRoutes(policies, tokens),
    ...leaseRoutes(clock, leases),
    ...wrapping.routes(),
  ]
  router.mount({ path: 'sys/', engine: { type: 'system', routes: sys } })
  const roles = new TokenRoles()
  router.mount({ path: 'auth/token/', engine: tokenEngine({ clock, policies, tokens, roles }) })
  tokens.create({
    id: options.rootToken,
    policies: ['root'],
    path: 'auth/token/root',
    displayName: 'root',
    ttlMs: 0,
    renewable: false,
  })
  return new Core({ router, policies, tokens, leases, wrapping })
}

/** KV version 1 is not served: asked for, it is refused rather than version 2 given. */
function engineOf(
  type: string,
  mountOptions: Record<string, string>,
  { clock, sqlExecutor }: DevVaultOptions,
  leases: LeaseStore,
) {
  if (type === 'kv-v2' || (type === 'kv' && mountOptions['version'] === '2')) return kvEngine(clock)
  if (type === 'database') return new DatabaseEngine({ clock, leases, sqlExecutor })
  return undefined
}
