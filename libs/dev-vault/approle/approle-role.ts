import { randomUUID } from 'node:crypto'
import { inSeconds } from '../durations.ts'
import { addressesIn, cidrsIn } from '../cidr.ts'
import { badRequest, oneError, VaultRefusal } from '../errors.ts'
import type { Fields } from '../fields.ts'
import { sanitize } from '../tokens/token-policies.ts'
import { batchContradiction, methodTokenType, type TokenType } from '../tokens/token-type.ts'
import type { SecretId } from './secret-ids.ts'

/** One AppRole. Times in milliseconds, 0 for none. */
export interface AppRole {
  name: string
  roleId: string
  bindSecretId: boolean
  secretIdTtlMs: number
  secretIdUses: number
  policies: string[]
  ttlMs: number
  maxTtlMs: number
  periodMs: number
  explicitMaxMs: number
  numUses: number
  noDefaultPolicy: boolean
  tokenType: TokenType
  /** Where logins with a secret id, and uses of a token, may come from; empty is from everywhere. */
  secretIdCidrs: string[]
  tokenCidrs: string[]
  /** By the hash of the secret id. */
  secretIds: Map<string, SecretId>
}

/** The role after a write: fields that are not given keep what the role had. @throws VaultRefusal 400 */
export function appRoleFrom(name: string, fields: Fields, before: AppRole | undefined): AppRole {
  const role: AppRole = {
    name,
    roleId: fields.string('role_id', before?.roleId ?? randomUUID()),
    bindSecretId: fields.boolean('bind_secret_id', before?.bindSecretId ?? true),
    secretIdTtlMs: fields.durationMs('secret_id_ttl', before?.secretIdTtlMs),
    secretIdUses: fields.integer('secret_id_num_uses', before?.secretIdUses),
    policies: policiesFrom(fields, before?.policies ?? []),
    ttlMs: fields.durationMs('token_ttl', before?.ttlMs),
    maxTtlMs: fields.durationMs('token_max_ttl', before?.maxTtlMs),
    periodMs: fields.durationMs('token_period', before?.periodMs),
    explicitMaxMs: fields.durationMs('token_explicit_max_ttl', before?.explicitMaxMs),
    numUses: fields.integer('token_num_uses', before?.numUses),
    noDefaultPolicy: fields.boolean('token_no_default_policy', before?.noDefaultPolicy),
    tokenType: methodTokenType(fields, before?.tokenType ?? 'default'),
    secretIdCidrs: cidrsIn(
      fields,
      fields.has('secret_id_bound_cidrs') ? 'secret_id_bound_cidrs' : 'bound_cidr_list',
      before?.secretIdCidrs,
    ),
    tokenCidrs: addressesIn(fields, 'token_bound_cidrs', before?.tokenCidrs),
    secretIds: before?.secretIds ?? new Map(),
  }
  if (role.roleId === '') throw badRequest('invalid role_id supplied, or failed to generate a role_id')
  if (role.secretIdUses < 0) throw badRequest('secret_id_num_uses cannot be negative')
  if (role.numUses < 0) throw badRequest('token_num_uses cannot be negative')
  return role
}

/** A role id alone must not be enough for everyone. @throws VaultRefusal 500, as in Vault */
export function refuseUnbound({ bindSecretId, secretIdCidrs, tokenCidrs }: AppRole): void {
  if (bindSecretId || secretIdCidrs.length > 0 || tokenCidrs.length > 0) return
  throw new VaultRefusal(500, oneError('at least one constraint should be enabled on the role'))
}

/** What a read of the role answers. */
export function describeAppRole(role: AppRole): Record<string, unknown> {
  return {
    bind_secret_id: role.bindSecretId,
    local_secret_ids: false,
    secret_id_bound_cidrs: role.secretIdCidrs.length > 0 ? role.secretIdCidrs : null,
    secret_id_num_uses: role.secretIdUses,
    secret_id_ttl: inSeconds(role.secretIdTtlMs),
    token_bound_cidrs: role.tokenCidrs,
    token_explicit_max_ttl: inSeconds(role.explicitMaxMs),
    token_max_ttl: inSeconds(role.maxTtlMs),
    token_no_default_policy: role.noDefaultPolicy,
    token_num_uses: role.numUses,
    token_period: inSeconds(role.periodMs),
    token_policies: role.policies,
    token_ttl: inSeconds(role.ttlMs),
    token_type: role.tokenType,
  }
}

function policiesFrom(fields: Fields, before: string[]): string[] {
  if (fields.has('token_policies')) return sanitize(fields.list('token_policies'))
  return fields.has('policies') ? sanitize(fields.list('policies')) : before
}

/** What a write of the whole role refuses; a write of one field does not look at the others. @throws VaultRefusal 400 */
export function refuseContradictions(role: AppRole): void {
  const contradiction = batchContradiction(role)
  if (contradiction) throw badRequest(contradiction)
  if (isTtlTooLong(role)) throw badRequest("'token_ttl' cannot be greater than 'token_max_ttl'")
}

/** The same for a write of one field; the texts are Vault's. @throws VaultRefusal 400 */
export function refuseLongTtl(role: AppRole, fields: Fields): void {
  if (!isTtlTooLong(role)) return
  if (fields.has('token_ttl')) throw badRequest('token_ttl should not be greater than token_max_ttl')
  if (fields.has('token_max_ttl'))
    throw badRequest('token_max_ttl should be greater than or equal to token_ttl')
}

const isTtlTooLong = ({ ttlMs, maxTtlMs }: AppRole) => maxTtlMs > 0 && ttlMs > maxTtlMs
