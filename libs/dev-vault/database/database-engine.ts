import { messageOf, type Clock } from '#lib/runtime'
import { matchesGlob } from '../acl/parameters.ts'
import { write, type Engine, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere, oneError, VaultRefusal } from '../errors.ts'
import type { Lease, LeaseRecord, LeaseStore } from '../leases.ts'
import type { Mount } from '../router.ts'
import { bindDatabaseLease, issueCredentials, type DatabaseLease, type LeaseKeeper } from './credentials.ts'
import {
  configFrom,
  databaseRoleFrom,
  describeConfig,
  describeDatabaseRole,
  type DatabaseConfig,
  type DatabaseRole,
} from './database-config.ts'
import { rotateRoot } from './root-rotation.ts'
import { noSql, type SqlExecutor } from './sql-executor.ts'
import type { StaticRole } from './static-role.ts'
import { StaticRoles } from './static-roles.ts'

export interface DatabaseEngineOptions {
  clock: Clock
  leases: LeaseStore
  /** What runs the SQL of postgresql-database-plugin; without it only the plugin `fake` is there. */
  sqlExecutor: SqlExecutor | undefined
  isSealed: () => boolean
}

interface SavedDatabase {
  configs: ReadonlyMap<string, DatabaseConfig>
  roles: ReadonlyMap<string, DatabaseRole>
  static: ReadonlyMap<string, StaticRole>
}

/** A database mount: each read of `creds/<role>` makes a user that is leased. */
export class DatabaseEngine implements Engine {
  readonly type = 'database'
  readonly routes: Route[]
  readonly #options: DatabaseEngineOptions
  readonly #configs = new Map<string, DatabaseConfig>()
  readonly #roles = new Map<string, DatabaseRole>()
  readonly #static: StaticRoles

  constructor(options: DatabaseEngineOptions) {
    this.#options = options
    this.#static = new StaticRoles({
      ...options,
      refuseTaken: (name) => refuseTaken(this.#roles, name),
      refuseUnlisted: (database, name) => void this.#allowingConfig(database, name),
      run: (database, statements) => this.#run(statements, { database, atomic: true }),
    })
    this.routes = [...this.#configRoutes(), ...this.#roleRoutes(), ...this.#static.routes()]
  }

  close(): Promise<void> {
    return this.#static[Symbol.asyncDispose]()
  }

  bindLease(record: LeaseRecord, mount: Mount): Lease {
    const { name, role } = record.internal as DatabaseLease
    return bindDatabaseLease(this.#keeper({ name, role, mount }), record)
  }

  save(): SavedDatabase {
    return { configs: this.#configs, roles: this.#roles, static: this.#static.save() }
  }

  load(saved: SavedDatabase): void {
    for (const [name, config] of saved.configs) this.#configs.set(name, config)
    for (const [name, role] of saved.roles) this.#roles.set(name, role)
    this.#static.load(saved.static)
  }

  #configRoutes(): Route[] {
    return [
      { pattern: 'config', on: { list: () => listOf(this.#configs) } },
      {
        pattern: 'config/:name',
        exists: ({ name }) => this.#configs.has(name!),
        on: {
          ...write((request) => this.#writeConfig(request)),
          read: ({ params }) => ({ data: describeConfig(found(this.#configs, params)) }),
          delete: ({ params }) => void this.#configs.delete(params['name']!),
        },
      },
      {
        pattern: 'rotate-root/:name',
        on: write(async ({ params }) => {
          const config = this.#config(params['name']!)
          await rotateRoot(config, this.#executor(config.plugin))
          return undefined
        }),
      },
      { pattern: 'reset/:name', on: write((request) => this.#reset(request)) },
    ]
  }

  #roleRoutes(): Route[] {
    return [
      { pattern: 'roles', on: { list: () => listOf(this.#roles) } },
      {
        pattern: 'roles/:name',
        exists: ({ name }) => this.#roles.has(name!),
        on: {
          ...write((request) => this.#writeRole(request)),
          read: ({ params }) => ({ data: describeDatabaseRole(found(this.#roles, params)) }),
          delete: ({ params }) => void this.#roles.delete(params['name']!),
        },
      },
      { pattern: 'creds/:name', on: { read: (request) => this.#credentials(request) } },
    ]
  }

  async #writeConfig({ params, fields }: EngineRequest): Promise<undefined> {
    const name = params['name']!
    const config = configFrom(fields, this.#configs.get(name))
    const executor = this.#executor(config.plugin)
    if (fields.boolean('verify_connection', true))
      await executor.run(config.connection, ['SELECT 1'], { atomic: false }).catch((cause: unknown) => {
        throw badRequest(`error creating database object: error verifying connection: ${messageOf(cause)}`)
      })
    this.#configs.set(name, config)
  }

  async #reset({ params }: EngineRequest): Promise<undefined> {
    const config = this.#config(params['name']!)
    await this.#executor(config.plugin).forget(config.connection)
  }

  #writeRole({ params, fields }: EngineRequest): undefined {
    const name = params['name']!
    refuseTaken(this.#static, name)
    this.#roles.set(name, databaseRoleFrom(fields, this.#roles.get(name)))
  }

  async #credentials(request: EngineRequest): Promise<Reply> {
    const name = request.params['name']!
    const role = this.#roles.get(name)
    if (!role) throw badRequest(`unknown role: ${name}`)
    const config = this.#allowingConfig(role.database, name)
    return issueCredentials({
      ...this.#keeper({ name, role, mount: request.mount, last: config }),
      leases: this.#options.leases,
      request,
      name,
    })
  }

  #keeper(of: { name: string; role: DatabaseRole; mount: Mount; last?: DatabaseConfig }): LeaseKeeper {
    const { name, role, mount, last } = of
    return {
      clock: this.#options.clock,
      mount,
      role,
      currentRole: () => this.#roles.get(name),
      run: (statements, atomic) =>
        this.#run(statements, { database: role.database, atomic, ...(last && { last }) }),
    }
  }

  /** The connection of a role. @throws VaultRefusal 500 when there is none, or it does not list the role */
  #allowingConfig(database: string, name: string): DatabaseConfig {
    const config = this.#config(database)
    if (!config.allowedRoles.some((pattern) => matchesGlob(pattern, name)))
      throw new VaultRefusal(500, oneError(`"${name}" is not an allowed role`))
    return config
  }

  /** @throws VaultRefusal 500, as in Vault */
  #config(name: string): DatabaseConfig {
    const config = this.#configs.get(name)
    if (config) return config
    throw new VaultRefusal(500, oneError(`failed to find entry for connection with name: "${name}"`))
  }

  /** Through the connection as it is now; `last` where it has been deleted since. */
  async #run(
    statements: string[],
    { database, atomic, last }: { database: string; atomic: boolean; last?: DatabaseConfig },
  ): Promise<void> {
    const config = this.#configs.get(database) ?? last
    if (!config) throw badRequest('the config is currently unset')
    await this.#executor(config.plugin).run(config.connection, statements, { atomic })
  }

  #executor(plugin: string): SqlExecutor {
    if (plugin === 'fake') return noSql
    if (plugin === 'postgresql-database-plugin' && this.#options.sqlExecutor) return this.#options.sqlExecutor
    throw badRequest(`error creating database object: unknown plugin "${plugin}"`)
  }
}

function refuseTaken(others: { has: (name: string) => boolean }, name: string): void {
  if (others.has(name)) throw badRequest('Role and Static Role names must be unique')
}

function found<T>(entries: Map<string, T>, params: Readonly<Record<string, string>>): T {
  const entry = entries.get(params['name']!)
  if (!entry) throw nothingThere()
  return entry
}

function listOf(entries: Map<string, unknown>): Reply {
  if (entries.size === 0) throw nothingThere()
  return { data: { keys: [...entries.keys()].toSorted() } }
}
