import { type Clock, hashCredential, isSameHash } from '#lib/runtime'
import { write, type Engine, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { isWithin } from '../cidr.ts'
import { badRequest, invalidToken, nothingThere, VaultRefusal } from '../errors.ts'
import type { Fields } from '../fields.ts'
import type { Mount } from '../router.ts'
import type { RenewalLimits, TokenEntry } from '../tokens/token-entry.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import {
  appRoleFrom,
  describeAppRole,
  refuseContradictions,
  refuseLongTtl,
  refuseUnbound,
  type AppRole,
} from './approle-role.ts'
import { Lockout } from './lockout.ts'
import { appRoleLimits, loginReply } from './login.ts'
import { roleFieldRoutes } from './role-field-routes.ts'
import { secretIdRoutes } from './secret-id-routes.ts'
import { findSecretId, spendSecretId, tidySecretIds, type SecretId } from './secret-ids.ts'

/** `auth/<name>/` of type approle: a role id and a secret id make a token. */
export class AppRoleEngine implements Engine {
  readonly type = 'approle'
  readonly routes: Route[]
  readonly #clock: Clock
  readonly #tokens: TokenStore
  readonly #roles = new Map<string, AppRole>()
  readonly #lockout: Lockout

  constructor(options: { clock: Clock; tokens: TokenStore }) {
    this.#clock = options.clock
    this.#tokens = options.tokens
    this.#lockout = new Lockout(options.clock)
    this.routes = [
      { pattern: 'login', open: true, on: write((request) => this.#login(request)) },
      ...this.#roleRoutes(),
      ...secretIdRoutes({
        clock: options.clock,
        roleOf: ({ params }) => this.#roles.get(roleKey(params['name']!)),
      }),
      ...roleFieldRoutes({
        known: ({ params }) => this.#roles.has(roleKey(params['name']!)),
        role: (request) => this.#role(request),
        change: (request, fields) => this.#change(this.#role(request).name, fields, refuseLongTtl),
      }),
      { pattern: 'tidy/secret-id', on: write(() => this.#tidy()) },
    ]
  }

  /** @throws VaultRefusal 400 when the role is gone */
  limitsOf({ meta }: TokenEntry, mount: Mount): RenewalLimits {
    const name = meta?.['role_name'] ?? ''
    const role = this.#roles.get(roleKey(name))
    if (!role) throw badRequest(`role "${name}" does not exist during renewal`)
    return appRoleLimits(role, mount)
  }

  save(): AppRole[] {
    return [...this.#roles.values()]
  }

  load(roles: readonly AppRole[]): void {
    for (const role of roles) this.#roles.set(role.name, role)
  }

  #roleRoutes(): Route[] {
    const exists: Route['exists'] = ({ name }) => this.#roles.has(roleKey(name!))
    const roleId = (request: EngineRequest) => ({ data: { role_id: this.#role(request).roleId } })
    return [
      { pattern: 'role', on: { list: () => this.#list() } },
      {
        pattern: 'role/:name',
        exists,
        on: {
          ...write((request) => this.#write(request)),
          read: (request) => ({ data: describeAppRole(this.#role(request)) }),
          delete: ({ params }) => void this.#roles.delete(roleKey(params['name']!)),
        },
      },
      {
        pattern: 'role/:name/role-id',
        on: { read: roleId, ...write((request) => this.#setRoleId(request)) },
      },
    ]
  }

  #login(request: EngineRequest): Reply {
    const roleId = request.fields.string('role_id').trim()
    if (!roleId) throw badRequest('missing role_id')
    if (this.#lockout.isLocked(roleId)) throw invalidToken()
    const wanted = hashCredential(roleId)
    const role = [...this.#roles.values()].find((known) => isSameHash(hashCredential(known.roleId), wanted))
    if (!role) throw badRequest('invalid role or secret ID')
    const secretId = role.bindSecretId ? this.#spend(role, request) : undefined
    refuseOtherSource('the role', request.remoteAddress, role.secretIdCidrs)
    this.#lockout.forget(roleId)
    return loginReply({
      clock: this.#clock,
      tokens: this.#tokens,
      role,
      secretId,
      request,
    })
  }

  /** A use counts even where the source address is refused, as in Vault. */
  #spend(role: AppRole, { fields, remoteAddress }: EngineRequest): SecretId {
    const secret = fields.string('secret_id').trim()
    if (!secret) throw badRequest('missing secret_id')
    const secretId = findSecretId(this.#clock, role, secret)
    if (!secretId) {
      this.#lockout.countFailure(role.roleId)
      throw badRequest('invalid role or secret ID')
    }
    spendSecretId(role, secretId)
    refuseOtherSource('the secret ID', remoteAddress, secretId.cidrs)
    return secretId
  }

  #role({ params }: EngineRequest): AppRole {
    const role = this.#roles.get(roleKey(params['name']!))
    if (!role) throw nothingThere()
    return role
  }

  #list(): Reply {
    if (this.#roles.size === 0) throw nothingThere()
    return { data: { keys: [...this.#roles.keys()].toSorted() } }
  }

  #write({ params, fields }: EngineRequest): undefined {
    this.#change(params['name']!, fields, refuseContradictions)
  }

  #change(name: string, fields: Fields, refuse: (role: AppRole, fields: Fields) => void): undefined {
    const role = appRoleFrom(roleKey(name), fields, this.#roles.get(roleKey(name)))
    refuse(role, fields)
    refuseUnbound(role)
    this.#refuseTakenRoleId(role.roleId, role.name)
    this.#roles.set(roleKey(name), role)
  }

  #tidy(): Reply {
    for (const role of this.#roles.values()) tidySecretIds(this.#clock, role)
    return { status: 202, warnings: ['Tidy operation successfully started.'] }
  }

  #setRoleId(request: EngineRequest): undefined {
    const roleId = request.fields.string('role_id')
    if (!roleId) throw badRequest('missing role_id')
    const role = this.#role(request)
    this.#refuseTakenRoleId(roleId, role.name)
    role.roleId = roleId
  }

  #refuseTakenRoleId(roleId: string, name: string): void {
    for (const other of this.#roles.values())
      if (other.roleId === roleId && other.name !== name)
        throw new VaultRefusal(500, 'role_id already in use')
  }
}

function refuseOtherSource(whose: string, address: string, blocks: string[]): void {
  if (isWithin(address, blocks)) return
  throw badRequest(`source address "${address}" unauthorized through CIDR restrictions on ${whose}`)
}

/** Role names do not tell upper from lower case. */
const roleKey = (name: string) => name.toLowerCase()
