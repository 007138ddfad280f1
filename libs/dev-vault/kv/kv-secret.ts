import { badRequest } from '../errors.ts'
import { smallest } from '../ttl.ts'

/** One version of a secret. `data` is gone for good once destroyed. */
export interface KvVersion {
  data: Record<string, unknown> | null
  createdAt: number
  /** Milliseconds since the epoch; 0 is not deleted. May lie ahead, by delete_version_after. */
  deletedAt: number
  destroyed: boolean
}

/** A secret with its versions and their rules. */
export interface KvSecret {
  versions: Map<number, KvVersion>
  current: number
  createdAt: number
  updatedAt: number
  /** 0 is the default of 10. */
  maxVersions: number
  casRequired: boolean
  deleteAfterMs: number
  custom: Record<string, string> | null
}

const DEFAULT_VERSIONS = 10

export function newSecret(now: number): KvSecret {
  return {
    versions: new Map(),
    current: 0,
    createdAt: now,
    updatedAt: now,
    maxVersions: 0,
    casRequired: false,
    deleteAfterMs: 0,
    custom: null,
  }
}

/** Refuses a write whose check-and-set is missing or wrong. @throws VaultRefusal 400 */
export function checkCas(secret: KvSecret | undefined, cas: number | undefined, required: boolean): void {
  if (cas === undefined) {
    if (required || secret?.casRequired) throw badRequest('check-and-set parameter required for this call')
    return
  }
  if (cas !== (secret?.current ?? 0))
    throw badRequest('check-and-set parameter did not match the current version')
}

/** Adds a version and drops the oldest beyond the limit. */
export function addVersion(
  secret: KvSecret,
  data: Record<string, unknown>,
  { now, mountMax, mountDeleteAfterMs }: { now: number; mountMax: number; mountDeleteAfterMs: number },
): KvVersion {
  const deletedAt = deletionTime(now, mountDeleteAfterMs, secret.deleteAfterMs)
  const version = { data, createdAt: now, deletedAt, destroyed: false }
  secret.current++
  secret.updatedAt = now
  secret.versions.set(secret.current, version)
  const kept = secret.maxVersions || mountMax || DEFAULT_VERSIONS
  for (const number of secret.versions.keys())
    if (number <= secret.current - kept) secret.versions.delete(number)
  return version
}

/** When a version that is written or brought back now ends by itself: by the shorter rule; 0 is never. */
export function deletionTime(now: number, mountMs: number, secretMs: number): number {
  if (mountMs < 0) return 0
  const afterMs = smallest(mountMs, secretMs)
  return afterMs > 0 ? now + afterMs : 0
}
