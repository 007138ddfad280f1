import { randomUUID } from 'node:crypto'
import { type Clock, hashCredential, isSameHash } from '#lib/runtime'
import { inSeconds } from '../durations.ts'
import type { EngineRequest, Reply } from '../engine.ts'
import { cidrsIn, isSubset } from '../cidr.ts'
import { badRequest } from '../errors.ts'
import type { Fields } from '../fields.ts'
import { isoTime } from '../tokens/token-replies.ts'
import type { AppRole } from './approle-role.ts'

/** What is kept of a secret id: its hash, never the id. */
export interface SecretId {
  hash: string
  accessor: string
  /** Logins that are left; 0 is without limit. */
  usesLeft: number
  ttlMs: number
  /** Milliseconds since the epoch; 0 is never. */
  expiresAt: number
  createdAt: number
  metadata: Record<string, string>
  /** Where it may be used from, and where the tokens may that it makes; empty is as the role says. */
  cidrs: string[]
  tokenCidrs: string[]
}

/** Makes a secret id. @throws VaultRefusal 400 where it asks for more than the role gives */
export function issueSecretId(
  clock: Clock,
  role: AppRole,
  { request: { fields }, secret }: { request: EngineRequest; secret: string },
): Reply {
  if (!role.bindSecretId) throw badRequest('bind_secret_id is not set on the role')
  const usesLeft = fields.integer('num_uses', role.secretIdUses)
  const ttlMs = fields.durationMs('ttl', role.secretIdTtlMs)
  if (usesLeft < 0) throw badRequest('num_uses cannot be negative')
  if (role.secretIdUses > 0 && (usesLeft === 0 || usesLeft > role.secretIdUses))
    throw badRequest("num_uses cannot be higher than the role's secret_id_num_uses")
  if (role.secretIdTtlMs > 0 && (ttlMs === 0 || ttlMs > role.secretIdTtlMs))
    throw badRequest("ttl cannot be longer than the role's secret_id_ttl")
  const cidrs = narrowed(fields, 'cidr_list', role.secretIdCidrs)
  const tokenCidrs = narrowed(fields, 'token_bound_cidrs', role.tokenCidrs)
  const accessor = randomUUID()
  const createdAt = clock.now()
  role.secretIds.set(hashCredential(secret), {
    hash: hashCredential(secret),
    accessor,
    usesLeft,
    ttlMs,
    expiresAt: ttlMs > 0 ? createdAt + ttlMs : 0,
    createdAt,
    metadata: metadataFrom(fields.string('metadata')),
    cidrs,
    tokenCidrs,
  })
  return {
    data: {
      secret_id: secret,
      secret_id_accessor: accessor,
      secret_id_num_uses: usesLeft,
      secret_id_ttl: inSeconds(ttlMs),
    },
    wrappedAccessor: accessor,
  }
}

/** Drops what has run out. */
export function tidySecretIds(clock: Clock, role: AppRole): void {
  for (const secretId of role.secretIds.values()) unlessOver(clock, role, secretId)
}

/** The live secret id, dropped when its time is over. */
export function findSecretId(clock: Clock, role: AppRole, secret: string): SecretId | undefined {
  const hash = hashCredential(secret)
  const found = role.secretIds.get(hash)
  return found && isSameHash(found.hash, hash) ? unlessOver(clock, role, found) : undefined
}

export function findSecretIdAccessor(clock: Clock, role: AppRole, accessor: string): SecretId | undefined {
  const found = [...role.secretIds.values()].find((secretId) => secretId.accessor === accessor)
  return found && unlessOver(clock, role, found)
}

/** Counts a login; the last one ends the secret id. */
export function spendSecretId(role: AppRole, secretId: SecretId): void {
  if (secretId.usesLeft === 0) return
  secretId.usesLeft--
  if (secretId.usesLeft === 0) role.secretIds.delete(secretId.hash)
}

/** What a lookup answers. */
export function describeSecretId(secretId: SecretId): Record<string, unknown> {
  return {
    cidr_list: secretId.cidrs,
    creation_time: isoTime(secretId.createdAt),
    expiration_time: secretId.expiresAt ? isoTime(secretId.expiresAt) : '0001-01-01T00:00:00Z',
    last_updated_time: isoTime(secretId.createdAt),
    metadata: secretId.metadata,
    secret_id_accessor: secretId.accessor,
    secret_id_num_uses: secretId.usesLeft,
    secret_id_ttl: inSeconds(secretId.ttlMs),
    token_bound_cidrs: secretId.tokenCidrs,
  }
}

function narrowed(fields: Fields, name: string, limits: string[]): string[] {
  const blocks = cidrsIn(fields, name)
  if (!isSubset(blocks, limits))
    throw badRequest(`failed to verify subset relationship between CIDR blocks of the role and ${name}`)
  return blocks
}

function unlessOver(clock: Clock, role: AppRole, secretId: SecretId): SecretId | undefined {
  if (secretId.expiresAt === 0 || secretId.expiresAt > clock.now()) return secretId
  role.secretIds.delete(secretId.hash)
  return undefined
}

/** Metadata comes as a JSON object in a string. */
function metadataFrom(text: string): Record<string, string> {
  if (text === '') return {}
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [key, String(value)]))
  } catch {
    // Falls through to the refusal, which does not repeat the text.
  }
  throw badRequest('metadata should be a string-encoded JSON object')
}
