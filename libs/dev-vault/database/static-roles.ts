import { messageOf, type Clock } from '#lib/runtime'
import { Deadlines } from '../deadlines.ts'
import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere, oneError, VaultRefusal } from '../errors.ts'
import { fillIn, newPassword, passwordChangeOf } from './statements.ts'
import { describeStaticRole, staticCredentials, staticRoleFrom, type StaticRole } from './static-role.ts'

export interface StaticRolesOptions {
  clock: Clock
  /** A sealed Vault rotates nothing. */
  isSealed: () => boolean
  /** Refuses a name that a dynamic role has. */
  refuseTaken: (name: string) => void
  /** Refuses a role that its connection does not allow. */
  refuseUnlisted: (database: string, name: string) => void
  run: (database: string, statements: string[]) => Promise<void>
}

const RETRY_MS = 10_000

/**
 * Static roles: a password is changed when the role is made, by hand, and when its period is over. A rotation that
 * failed is tried again 10 s later with the same password, since its COMMIT may have arrived.
 */
export class StaticRoles implements AsyncDisposable {
  readonly #options: StaticRolesOptions
  readonly #roles = new Map<string, StaticRole>()
  readonly #deadlines: Deadlines
  readonly #rotating = new Map<string, Promise<void>>()

  constructor(options: StaticRolesOptions) {
    this.#options = options
    this.#deadlines = new Deadlines(options.clock, (now) => this.#rotateDue(now))
  }

  has(name: string): boolean {
    return this.#roles.has(name)
  }

  save(): ReadonlyMap<string, StaticRole> {
    return this.#roles
  }

  /** What is overdue is rotated at once. */
  load(roles: ReadonlyMap<string, StaticRole>): void {
    for (const [name, role] of roles) {
      if (!Number.isFinite(role.dueAt)) role.dueAt = 0
      this.#roles.set(name, role)
      this.#deadlines.expect(role.dueAt)
    }
  }

  routes(): Route[] {
    return [
      { pattern: 'static-roles', on: { list: () => this.#list() } },
      {
        pattern: 'static-roles/:name',
        exists: ({ name }) => this.#roles.has(name!),
        on: {
          ...write((request) => this.#write(request)),
          read: ({ params }) => ({ data: describeStaticRole(this.#found(params)) }),
          delete: ({ params }) => void this.#roles.delete(params['name']!),
        },
      },
      { pattern: 'static-creds/:name', on: { read: (request) => this.#credentials(request) } },
      { pattern: 'rotate-role/:name', on: write((request) => this.#rotateByHand(request)) },
    ]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deadlines[Symbol.asyncDispose]()
    await Promise.allSettled(this.#rotating.values())
  }

  async #write({ params, fields }: EngineRequest): Promise<undefined> {
    const name = params['name']!
    this.#options.refuseTaken(name)
    const before = this.#roles.get(name)
    const role = Object.assign(before ?? {}, staticRoleFrom(fields, before))
    if (!before) {
      await this.#change(name, role)
      this.#roles.set(name, role)
    }
    if (!this.#rotating.has(name)) role.dueAt = role.rotatedAt + role.periodMs
    this.#deadlines.expect(role.dueAt)
  }

  #credentials({ params }: EngineRequest): Reply {
    const name = params['name']!
    const role = this.#roles.get(name)
    if (!role) throw badRequest(`unknown role: ${name}`)
    this.#options.refuseUnlisted(role.database, name)
    return { data: staticCredentials(role, this.#options.clock.now()) }
  }

  async #rotateByHand({ params }: EngineRequest): Promise<undefined> {
    const name = params['name']!
    const role = this.#roles.get(name)
    if (!role) throw badRequest('no static role found for role name')
    await this.#rotate(name, role).catch((cause: unknown) => {
      const text = `unable to finish rotating credentials; retries will continue in the background but it is also safe to retry manually: ${messageOf(cause)}`
      throw new VaultRefusal(500, oneError(text))
    })
  }

  #rotateDue(now: number): number | undefined {
    if (this.#options.isSealed()) return now + RETRY_MS
    let next: number | undefined
    for (const [name, role] of this.#roles) {
      if (role.dueAt <= now) void this.#rotate(name, role).catch(() => {})
      else if (next === undefined || role.dueAt < next) next = role.dueAt
    }
    return next
  }

  /** One rotation of a role at a time: who asks meanwhile waits for it and then has one of its own. */
  async #rotate(name: string, role: StaticRole): Promise<void> {
    const before = this.#rotating.get(name) ?? Promise.resolve()
    role.dueAt = Number.POSITIVE_INFINITY
    const rotation = before.then(
      () => this.#change(name, role),
      () => this.#change(name, role),
    )
    this.#rotating.set(name, rotation)
    await rotation.finally(() => {
      if (this.#rotating.get(name) === rotation) this.#rotating.delete(name)
      role.dueAt = this.#nextDueAt(role)
      this.#deadlines.expect(role.dueAt)
    })
  }

  /** A role that was not even begun with, since its connection does not allow it, may be overdue: never at once again. */
  #nextDueAt({ pending, rotatedAt, periodMs }: StaticRole): number {
    const now = this.#options.clock.now()
    const dueAt = rotatedAt + periodMs
    return pending === undefined && dueAt > now ? dueAt : now + RETRY_MS
  }

  async #change(name: string, role: StaticRole): Promise<void> {
    this.#options.refuseUnlisted(role.database, name)
    role.pending ??= newPassword()
    const values = { name: role.user, password: role.pending }
    const own = role.rotation.map((statement) => fillIn(statement, values))
    await this.#options.run(role.database, own.length > 0 ? own : passwordChangeOf(role.user, role.pending))
    role.password = role.pending
    role.rotatedAt = this.#options.clock.now()
    delete role.pending
  }

  #found({ name }: Readonly<Record<string, string>>): StaticRole {
    const role = this.#roles.get(name!)
    if (!role) throw nothingThere()
    return role
  }

  #list(): Reply {
    if (this.#roles.size === 0) throw nothingThere()
    return { data: { keys: [...this.#roles.keys()].toSorted() } }
  }
}
