import type { Clock } from '#lib/runtime'
import type { PolicyStore } from '../acl/policy-store.ts'
import type { EngineRequest, Reply } from '../engine.ts'
import { badRequest } from '../errors.ts'
import type { Fields } from '../fields.ts'
import { grantTtl, smallest } from '../ttl.ts'
import type { TokenEntry } from './token-entry.ts'
import { resolvePolicies } from './token-policies.ts'
import type { TokenRole, TokenRoles } from './token-roles.ts'
import type { TokenStore } from './token-store.ts'
import { tokenKind, type TokenKind } from './token-type.ts'

export interface TokenCreation {
  clock: Clock
  policies: PolicyStore
  tokens: TokenStore
  roles: TokenRoles
}

/** Makes a token as the caller's child, through a role where one is named. @throws VaultRefusal 400 */
export function createToken(parts: TokenCreation, request: EngineRequest, orphan: boolean): Reply {
  const parent = request.token!
  const role = roleOf(parts.roles, request.params['role'])
  const { fields } = request
  refuseParent(parent)
  const kind = kindOf(fields, role)
  if (fields.integer('num_uses') < 0) throw badRequest('number of uses cannot be negative')
  const isSudo = parts.policies.acl(parent.policies).hasSudo(request.path)
  const policies = resolvePolicies({
    wanted: fields.strings('policies'),
    noDefault: fields.boolean('no_default_policy'),
    parent,
    isSudo,
    role,
  })
  if (kind === 'batch' && policies.includes('root')) throw badRequest('batch tokens cannot be root tokens')
  const life = lifeOf(parts, { fields, role: kind === 'batch' ? undefined : role, isSudo, policies, parent })
  const parentHash = isOrphan({ fields, role, isSudo, orphan }) ? undefined : parent.hash
  const { token, entry } = parts.tokens.create({
    ...life.token,
    kind,
    ...(fields.has('id') && { id: ownId(fields, isSudo) }),
    policies,
    parent: parentHash,
    cidrs: cidrsOf({ role, parent, isChild: parentHash !== undefined, isEndless: life.token.ttlMs === 0 }),
    path: role?.pathSuffix ? `${request.path}/${role.pathSuffix}` : request.path,
    displayName: displayName(fields.string('display_name')),
    meta: fields.has('meta') ? fields.stringMap('meta') : null,
    role: role?.name,
    usesLeft: smallest(fields.integer('num_uses'), role?.numUses),
  })
  const missing = policies.filter((name) => !parts.policies.has(name))
  return {
    auth: { entry, clientToken: token, leaseMs: life.token.ttlMs },
    warnings: [...life.warnings, ...missing.map((name) => `Policy "${name}" does not exist`)],
  }
}

function roleOf(roles: TokenRoles, name: string | undefined): TokenRole | undefined {
  if (name === undefined) return undefined
  const role = roles.get(name)
  if (!role) throw badRequest(`unknown role ${name}`)
  return role
}

function refuseParent(parent: TokenEntry): void {
  if (parent.kind === 'batch') throw badRequest('batch tokens cannot create more tokens')
  if (parent.usesLeft !== 0) throw badRequest('restricted use token cannot generate child tokens')
}

function kindOf(fields: Fields, role: TokenRole | undefined): TokenKind {
  const kind = tokenKind(fields.string('type'), role?.tokenType)
  if (kind === 'service') return kind
  const reason = [
    fields.durationMs('explicit_max_ttl') > 0 && 'explicit_max_ttl',
    fields.integer('num_uses') !== 0 && 'num_uses',
    fields.durationMs('period') > 0 && 'period',
  ].find(Boolean)
  if (reason) throw badRequest(`batch tokens cannot have "${reason}" set`)
  return kind
}

interface LifeRequest {
  fields: Fields
  role: TokenRole | undefined
  isSudo: boolean
  policies: string[]
  parent: TokenEntry
}

/** Time to live, period, maximum: the lesser of call and role. */
function lifeOf({ clock }: TokenCreation, { fields, role, isSudo, policies, parent }: LifeRequest) {
  const asked = fields.durationMs('period')
  if (asked > 0 && !isSudo) throw badRequest('root or sudo privileges required to create periodic token')
  const periodMs = smallest(asked, role?.periodMs)
  const explicitMaxMs = smallest(fields.durationMs('explicit_max_ttl'), role?.explicitMaxMs)
  const ttlAsked = fields.durationMs('ttl', fields.durationMs('lease'))
  const isEndless = policies.includes('root') && !periodMs && !ttlAsked
  if (isEndless && !explicitMaxMs && parent.ttlMs > 0)
    throw badRequest('expiring root tokens cannot create non-expiring root tokens')
  const granted = isEndless
    ? { ms: explicitMaxMs, warnings: [] }
    : grantTtl({ now: clock.now(), defaultMs: ttlAsked, periodMs, explicitMaxMs })
  return {
    warnings: granted.warnings,
    token: {
      ttlMs: granted.ms,
      periodMs,
      explicitMaxMs,
      renewable: granted.ms > 0 && fields.boolean('renewable', true) && (role?.renewable ?? true),
    },
  }
}

function ownId(fields: Fields, isSudo: boolean): string {
  if (!isSudo) throw badRequest('root or sudo privileges required to specify token id')
  const id = fields.string('id')
  if (!/^[\w.-]{1,256}$/.test(id))
    throw badRequest('custom token ID must be letters, digits, "_", "." or "-"')
  return id
}

interface OrphanRequest {
  fields: Fields
  role: TokenRole | undefined
  isSudo: boolean
  orphan: boolean
}

function isOrphan({ fields, role, isSudo, orphan }: OrphanRequest): boolean {
  if (role) return role.orphan
  if (!fields.boolean('no_parent')) return orphan
  if (!isSudo) throw badRequest('root or sudo privileges required to create orphan token')
  return true
}

/** A role's own blocks count alone; without a role a child has its parent's. What never ends is bound to none. */
function cidrsOf(made: {
  role: TokenRole | undefined
  parent: TokenEntry
  isChild: boolean
  isEndless: boolean
}): string[] {
  if (made.isEndless) return []
  if (made.role) return made.role.cidrs
  return made.isChild ? made.parent.cidrs : []
}

function displayName(name: string): string {
  return name === '' ? 'token' : `token-${name}`.replaceAll(/[^a-zA-Z0-9-]/g, '-').replace(/-$/, '')
}
