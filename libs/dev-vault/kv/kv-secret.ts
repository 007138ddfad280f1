import { badRequest } from '../errors.ts'

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
  { now, mountMax }: { now: number; mountMax: number },
): KvVersion {
  const deletedAt = secret.deleteAfterMs > 0 ? now + secret.deleteAfterMs : 0
  const version = { data, createdAt: now, deletedAt, destroyed: false }
  secret.current++
  secret.updatedAt = now
  secret.versions.set(secret.current, version)
  const kept = secret.maxVersions || mountMax || DEFAULT_VERSIONS
  for (const number of secret.versions.keys())
    if (number <= secret.current - kept) secret.versions.delete(number)
  return version
}

/** JSON merge patch (RFC 7396): null takes a key away, objects merge, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged = new Map(isObject(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, mergePatch(merged.get(key), value))
  }
  return Object.fromEntries(merged)
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
