import { badRequest } from './errors.ts'

/**
 * The logical path of a URL path below `/v1/`: percent-decoded once, so that `a%2Fb` is `a/b` for policies too.
 * @throws VaultRefusal 400 for `.` and `..` segments, empty segments, control characters and broken encoding
 */
export function logicalPath(encoded: string): string {
  const path = decodeOnce(encoded)
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001F\u007F]/.test(path)) throw badRequest('path contains control characters')
  const segments = path.split('/')
  if (segments.some((segment) => segment === '.' || segment === '..'))
    throw badRequest('relative paths not supported')
  if (segments.slice(0, -1).some((segment) => segment === ''))
    throw badRequest('path contains an empty segment')
  return path
}

function decodeOnce(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw badRequest('path is not percent-encoded UTF-8')
  }
}
