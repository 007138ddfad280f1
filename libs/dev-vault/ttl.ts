import { goDuration } from './durations.ts'
import { badRequest } from './errors.ts'

/** The system's default and maximum, 32 days. */
export const SYSTEM_TTL_MS = 768 * 3_600_000

export interface TtlRequest {
  now: number
  /** When the lease began; every maximum counts from here. Default: now. */
  issuedAt?: number
  /** What the caller asked for, from now. */
  incrementMs?: number
  /** What the role or configuration gives. */
  defaultMs?: number
  periodMs?: number
  maxMs?: number
  explicitMaxMs?: number
  /** The mount's own default and maximum; 0 is the system's. */
  mountDefaultMs?: number
  mountMaxMs?: number
}

/**
 * The time to live that is granted.
 * @throws VaultRefusal 400 when the maximum has passed
 */
export function grantTtl(request: TtlRequest): { ms: number; warnings: string[] } {
  const { now, issuedAt = now, periodMs = 0, explicitMaxMs = 0 } = request
  const max = smallest(request.mountMaxMs || SYSTEM_TTL_MS, request.maxMs, explicitMaxMs)
  const wanted = periodMs
    ? Math.min(periodMs, max)
    : request.incrementMs || request.defaultMs || request.mountDefaultMs || SYSTEM_TTL_MS
  const limit = periodMs ? explicitMaxMs : max
  const left = limit ? issuedAt + limit - now : Number.POSITIVE_INFINITY
  if (left <= 0) throw badRequest('past the max TTL, cannot renew')
  if (wanted <= left) return { ms: wanted, warnings: [] }
  const warning = `TTL of "${goDuration(wanted)}" exceeded the effective max_ttl of "${goDuration(left)}"; TTL value is capped accordingly`
  return { ms: left, warnings: [warning] }
}

/** The smallest of those that are set. */
export function smallest(...limits: (number | undefined)[]): number {
  const set = limits.filter((limit) => limit !== undefined && limit > 0) as number[]
  return set.length === 0 ? 0 : Math.min(...set)
}
