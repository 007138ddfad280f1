import { type Clock, hashCredential, isSameHash } from '#lib/runtime'
import { write, type Engine, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere, VaultRefusal } from '../errors.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import { appRoleFrom, describeAppRole, type AppRole } from './approle-role.ts'
import { loginReply } from './login.ts'
import {
  describeSecretId,
  findSecretId,
  findSecretIdAccessor,
  issueSecretId,
  spendSecretId,
  type SecretId,
} from './secret-ids.ts'

/** `auth/<name>/` of type approle: a role id and a secret id make a token. */
export class AppRoleEngine implements Engine {
  readonly type = 'approle'
  readonly routes: Route[]
  readonly #clock: Clock
  readonly #tokens: TokenStore
  readonly #roles = new Map<string, AppRole>()

  constructor(options: { clock: Clock; tokens: TokenStore }) {
    this.#clock = options.clock
    this.#tokens = options.tokens
    this.routes = [
      { pattern: 'login', open: true, on: write((request) => this.#login(request)) },
      ...this.#roleRoutes(),
      ...this.#secretIdRoutes(),
    ]
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

  #secretIdRoutes(): Route[] {
    const issue = (request: EngineRequest) => issueSecretId(this.#clock, this.#role(request), request)
    return [
      {
        pattern: 'role/:name/secret-id',
        on: { ...write(issue), list: (request) => this.#listSecretIds(request) },
      },
      { pattern: 'role/:name/secret-id/lookup', on: write((request) => this.#lookup(request)) },
      { pattern: 'role/:name/secret-id/destroy', on: write((request) => this.#destroy(request)) },
      {
        pattern: 'role/:name/secret-id-accessor/lookup',
        on: write((request) => ({ data: describeSecretId(this.#byAccessor(request)) })),
      },
      {
        pattern: 'role/:name/secret-id-accessor/destroy',
        on: write((request) => {
          this.#role(request).secretIds.delete(this.#byAccessor(request).hash)
          return undefined
        }),
      },
    ]
  }

  #login({ path, fields }: EngineRequest): Reply {
    const roleId = fields.string('role_id')
    if (!roleId) throw badRequest('missing role_id')
    const wanted = hashCredential(roleId)
    const role = [...this.#roles.values()].find((known) => isSameHash(hashCredential(known.roleId), wanted))
    if (!role) throw badRequest('invalid role or secret ID')
    const metadata: Record<string, string> = { role_name: role.name }
    if (role.bindSecretId) {
      if (!fields.string('secret_id')) throw badRequest('missing secret_id')
      const secretId = findSecretId(this.#clock, role, fields.string('secret_id'))
      if (!secretId) throw badRequest('invalid role or secret ID')
      spendSecretId(role, secretId)
      Object.assign(metadata, secretId.metadata, { role_name: role.name })
    }
    return loginReply({
      clock: this.#clock,
      tokens: this.#tokens,
      role,
      metadata,
      path,
      current: () => this.#roles.get(roleKey(role.name)),
    })
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
    const name = params['name']!
    const role = appRoleFrom(roleKey(name), fields, this.#roles.get(roleKey(name)))
    this.#refuseTakenRoleId(role.roleId, role.name)
    this.#roles.set(roleKey(name), role)
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

  #listSecretIds(request: EngineRequest): Reply {
    const accessors = [...this.#role(request).secretIds.values()].map(({ accessor }) => accessor)
    if (accessors.length === 0) throw nothingThere()
    return { data: { keys: accessors } }
  }

  #lookup(request: EngineRequest): Reply | undefined {
    const secret = request.fields.string('secret_id')
    if (!secret) throw badRequest('missing secret_id')
    const found = findSecretId(this.#clock, this.#role(request), secret)
    return found && { data: describeSecretId(found) }
  }

  #destroy(request: EngineRequest): undefined {
    const secret = request.fields.string('secret_id')
    if (!secret) throw badRequest('missing secret_id')
    const role = this.#role(request)
    const found = findSecretId(this.#clock, role, secret)
    if (found) role.secretIds.delete(found.hash)
  }

  #byAccessor(request: EngineRequest): SecretId {
    const accessor = request.fields.string('secret_id_accessor')
    if (!accessor) throw badRequest('missing secret_id_accessor')
    const found = findSecretIdAccessor(this.#clock, this.#role(request), accessor)
    if (!found) throw new VaultRefusal(404, 'failed to find accessor entry for secret_id_accessor')
    return found
  }
}

/** Role names do not tell upper from lower case. */
const roleKey = (name: string) => name.toLowerCase()
