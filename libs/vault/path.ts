import { PermanentError } from '#lib/runtime'

declare const checked: unique symbol
/** A path below `/v1/` whose every segment was checked. Only {@link vaultPath} makes one. */
export type VaultPath = string & { readonly [checked]: true }

/** A path segment that could address something else than it seems. */
export class VaultPathError extends PermanentError {
  override readonly name = 'VaultPathError'
  constructor(segment: unknown) {
    super(
      `vault path segment ${JSON.stringify(segment)}: expected letters, digits or . _ @ : = + ~ -, not "." or "..", no "." at the end`,
    )
  }
}

/**
 * Joins segments to a path that Vault reads as written: node-vault encodes nothing, so `..` would collapse, `?`
 * would start a query and `%2e` would be decoded by the server before it asks the policy.
 * @throws VaultPathError
 */
export function vaultPath(first: string, ...rest: string[]): VaultPath {
  const segments = [first, ...rest]
  for (const segment of segments) if (!isSafe(segment)) throw new VaultPathError(segment)
  return segments.join('/') as VaultPath
}

/** `+` alone is a wildcard in policies, so it is no name. */
function isSafe(segment: unknown): boolean {
  return (
    typeof segment === 'string' &&
    segment.length <= 512 &&
    segment !== '+' &&
    !segment.endsWith('.') &&
    /^[A-Za-z0-9._@:=+~-]+$/.test(segment)
  )
}
