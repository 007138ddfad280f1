import { inSeconds } from '../durations.ts'
import type { Lease } from '../leases.ts'
import type { TokenEntry } from './token-entry.ts'

/** What a lookup tells of a token. The parent is never told. */
export function describeToken(entry: TokenEntry, lease: Lease | undefined, now: number) {
  return {
    accessor: entry.accessor,
    creation_time: inSeconds(entry.createdAt),
    creation_ttl: inSeconds(entry.ttlMs),
    display_name: entry.displayName,
    entity_id: '',
    expire_time: lease ? isoTime(lease.expiresAt) : null,
    explicit_max_ttl: inSeconds(entry.explicitMaxMs),
    id: '',
    issue_time: isoTime(entry.createdAt),
    ...(lease?.renewedAt && {
      last_renewal: isoTime(lease.renewedAt),
      last_renewal_time: inSeconds(lease.renewedAt),
    }),
    meta: entry.meta,
    num_uses: Math.max(entry.usesLeft, 0),
    orphan: entry.parent === undefined,
    path: entry.path,
    ...(entry.periodMs > 0 && { period: inSeconds(entry.periodMs) }),
    policies: entry.policies,
    renewable: lease?.renewable ?? false,
    ...(entry.role !== undefined && { role: entry.role }),
    ttl: lease ? inSeconds(lease.expiresAt - now) : 0,
    type: entry.kind,
  }
}

/** The `auth` part of an envelope. */
export function describeAuth(entry: TokenEntry, clientToken: string, leaseMs: number) {
  return {
    client_token: clientToken,
    accessor: entry.accessor,
    policies: entry.policies,
    token_policies: entry.policies,
    metadata: entry.meta,
    lease_duration: inSeconds(leaseMs),
    renewable: entry.renewable && entry.ttlMs > 0,
    entity_id: '',
    token_type: entry.kind,
    orphan: entry.parent === undefined,
    mfa_requirement: null,
    num_uses: Math.max(entry.usesLeft, 0),
  }
}

/** A time as every reply carries it. */
export const isoTime = (ms: number) => new Date(ms).toISOString()
