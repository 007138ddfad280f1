import { inSeconds } from '../durations.ts'
import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere } from '../errors.ts'
import type { Fields } from '../fields.ts'

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
  tokenType: string
  periodMs: number
  explicitMaxMs: number
  numUses: number
  noDefaultPolicy: boolean
}

const TOKEN_TYPES = ['default-service', 'service']

/** The token roles and their routes. */
export class TokenRoles {
  readonly #roles = new Map<string, TokenRole>()

  get(name: string): TokenRole | undefined {
    return this.#roles.get(name)
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
        ...(role.numUses > 0 && { token_num_uses: role.numUses }),
        token_no_default_policy: role.noDefaultPolicy,
      },
    }
  }

  #write({ params, fields }: EngineRequest): undefined {
    const name = params['name']!
    this.#roles.set(name, roleFrom(name, fields, this.#roles.get(name)))
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
    tokenType: typeFrom(fields.string('token_type', before?.tokenType ?? 'default-service')),
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

/** Batch tokens are not served, and are refused rather than made as something else. */
function typeFrom(type: string): string {
  if (TOKEN_TYPES.includes(type)) return type
  if (type === 'default') return 'default-service'
  throw badRequest(`invalid 'token_type' value: expected one of ${TOKEN_TYPES.join(', ')} here`)
}
