import { addressesIn } from '../cidr.ts'
import { inSeconds } from '../durations.ts'
import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere } from '../errors.ts'
import type { Fields } from '../fields.ts'
import type { RenewalLimits } from './token-entry.ts'
import { roleTokenType, type TokenType } from './token-type.ts'

/** How tokens are made through `auth/token/create/<name>`. Times in milliseconds, 0 for none. */
export interface TokenRole {
  name: string
  allowed: string[]
  disallowed: string[]
  allowedGlob: string[]
  disallowedGlob: string[]
  orphan: boolean
  renewable: boolean
  pathSuffix: string
  tokenType: TokenType
  /** Where its tokens may be used from; empty is from everywhere. */
  cidrs: string[]
  periodMs: number
  explicitMaxMs: number
  numUses: number
  noDefaultPolicy: boolean
}

/** The token roles and their routes. */
export class TokenRoles {
  readonly #roles = new Map<string, TokenRole>()

  get(name: string): TokenRole | undefined {
    return this.#roles.get(name)
  }

  /** What counts when one of its tokens is renewed. @throws VaultRefusal 400 when the role is gone */
  limitsOf(name: string): RenewalLimits {
    const role = this.#roles.get(name)
    if (!role) throw badRequest(`original token role "${name}" could not be found, not renewing`)
    return { periodMs: role.periodMs, explicitMaxMs: role.explicitMaxMs }
  }

  save(): TokenRole[] {
    return [...this.#roles.values()]
  }

  load(roles: readonly TokenRole[]): void {
    for (const role of roles) this.#roles.set(role.name, role)
  }

  routes(): Route[] {
    return [
      { pattern: 'roles', on: { list: () => this.#list() } },
      {
        pattern: 'roles/:name',
        exists: ({ name }) => this.#roles.has(name!),
        on: {
          ...write((request) => this.#write(request)),
          read: ({ params }) => this.#read(params['name']!),
          delete: ({ params }) => void this.#roles.delete(params['name']!),
        },
      },
    ]
  }

  #list(): Reply {
    if (this.#roles.size === 0) throw nothingThere()
    return { data: { keys: [...this.#roles.keys()].toSorted() } }
  }

  #read(name: string): Reply {
    const role = this.#roles.get(name)
    if (!role) throw nothingThere()
    return {
      data: {
        name,
        allowed_policies: role.allowed,
        disallowed_policies: role.disallowed,
        allowed_policies_glob: role.allowedGlob,
        disallowed_policies_glob: role.disallowedGlob,
        allowed_entity_aliases: null,
        orphan: role.orphan,
        renewable: role.renewable,
        path_suffix: role.pathSuffix,
        period: inSeconds(role.periodMs),
        explicit_max_ttl: inSeconds(role.explicitMaxMs),
        token_type: role.tokenType,
        token_period: inSeconds(role.periodMs),
        token_explicit_max_ttl: inSeconds(role.explicitMaxMs),
        ...(role.cidrs.length > 0 && { token_bound_cidrs: role.cidrs }),
        ...(role.numUses > 0 && { token_num_uses: role.numUses }),
        token_no_default_policy: role.noDefaultPolicy,
      },
    }
  }

  #write({ params, fields }: EngineRequest): undefined {
    const name = params['name']!
    const role = roleFrom(name, fields, this.#roles.get(name))
    refuseBatch(role)
    this.#roles.set(name, role)
  }
}

/** Fields that are not given keep what the role had. */
function roleFrom(name: string, fields: Fields, before: TokenRole | undefined): TokenRole {
  const list = (key: string, was: string[] = []) => (fields.has(key) ? fields.list(key) : was)
  const durationMs = (key: string, old: string, was = 0) =>
    fields.durationMs(key, fields.durationMs(old, was))
  return {
    name,
    allowed: list('allowed_policies', before?.allowed),
    disallowed: list('disallowed_policies', before?.disallowed),
    allowedGlob: list('allowed_policies_glob', before?.allowedGlob),
    disallowedGlob: list('disallowed_policies_glob', before?.disallowedGlob),
    orphan: fields.boolean('orphan', before?.orphan),
    renewable: fields.boolean('renewable', before?.renewable ?? true),
    pathSuffix: suffixFrom(fields.string('path_suffix', before?.pathSuffix)),
    tokenType: roleTokenType(fields, before?.tokenType ?? 'default-service'),
    cidrs: addressesIn(fields, 'token_bound_cidrs', before?.cidrs),
    periodMs: durationMs('token_period', 'period', before?.periodMs),
    explicitMaxMs: durationMs('token_explicit_max_ttl', 'explicit_max_ttl', before?.explicitMaxMs),
    numUses: fields.integer('token_num_uses', before?.numUses),
    noDefaultPolicy: fields.boolean('token_no_default_policy', before?.noDefaultPolicy),
  }
}

function suffixFrom(suffix: string): string {
  if (suffix === '' || /^\w[\w.-]+\w$/.test(suffix)) return suffix
  throw badRequest(String.raw`given role path suffix contains invalid characters; must match \w[\w-.]+\w`)
}

/** A batch token can be none of this. */
function refuseBatch(role: TokenRole): void {
  if (role.tokenType !== 'batch') return
  const reason = [
    !role.orphan && 'non-orphan tokens',
    role.periodMs > 0 && 'periodic tokens',
    role.renewable && 'renewable tokens',
    role.explicitMaxMs > 0 && 'tokens with an explicit max TTL',
  ].find(Boolean)
  if (reason) throw badRequest(`'token_type' cannot be 'batch' when role is set to generate ${reason}`)
}
