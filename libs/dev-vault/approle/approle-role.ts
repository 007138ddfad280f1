import { randomUUID } from 'node:crypto'
import { inSeconds } from '../durations.ts'
import { badRequest } from '../errors.ts'
import type { Fields } from '../fields.ts'
import { sanitize } from '../tokens/token-policies.ts'
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
  tokenType: string
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
    tokenType: fields.string('token_type', before?.tokenType) || 'default',
    secretIds: before?.secretIds ?? new Map(),
  }
  refuseContradictions(role, fields)
  return role
}

/** What a read of the role answers. */
export function describeAppRole(role: AppRole): Record<string, unknown> {
  return {
    bind_secret_id: role.bindSecretId,
    local_secret_ids: false,
    secret_id_bound_cidrs: null,
    secret_id_num_uses: role.secretIdUses,
    secret_id_ttl: inSeconds(role.secretIdTtlMs),
    token_bound_cidrs: [],
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

function refuseContradictions(role: AppRole, fields: Fields): void {
  if (role.roleId === '') throw badRequest('invalid role_id supplied, or failed to generate a role_id')
  if (role.secretIdUses < 0) throw badRequest('secret_id_num_uses cannot be negative')
  if (role.numUses < 0) throw badRequest('token_num_uses cannot be negative')
  if (role.maxTtlMs > 0 && role.ttlMs > role.maxTtlMs)
    throw badRequest("'token_ttl' cannot be greater than 'token_max_ttl'")
  if (!['default', 'default-service', 'service'].includes(role.tokenType))
    throw badRequest("invalid 'token_type' value: only service tokens are served here")
  for (const key of ['secret_id_bound_cidrs', 'token_bound_cidrs'])
    if (fields.list(key).length > 0) throw badRequest(`${key} is not served here`)
}
