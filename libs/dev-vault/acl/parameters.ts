import { isDeepStrictEqual } from 'node:util'
import type { AccessRequest } from './acl.ts'
import type { Permissions } from './permissions.ts'

/** Judges the body (or query) of a request against required, denied and allowed parameters. */
export function parametersPass(permissions: Permissions, request: AccessRequest): boolean {
  const { operation, data } = request
  if (operation === 'list' || operation === 'delete') return true
  for (const name of permissions.required) if (!data.has(name.toLowerCase())) return false
  if (data.size === 0) return true
  return !isDenied(permissions, data) && isAllowed(permissions, data)
}

function isDenied({ denied }: Permissions, data: ReadonlyMap<string, unknown>): boolean {
  if (denied.size === 0) return false
  if (denied.has('*')) return true
  for (const [name, value] of data) {
    const values = denied.get(name.toLowerCase())
    if (values && isListed(value, values)) return true
  }
  return false
}

function isAllowed({ allowed }: Permissions, data: ReadonlyMap<string, unknown>): boolean {
  if (allowed.size === 0) return true
  const others = allowed.has('*')
  if (others && allowed.size === 1) return true
  for (const [name, value] of data) {
    const values = allowed.get(name.toLowerCase())
    if (values ? !isListed(value, values) : !others) return false
  }
  return true
}

/**
 * A number in a policy matches nothing, as in Vault: Go reads the policy's as an int and the request's as a json.Number,
 * which are never equal. So a denied number denies nothing; write such rules for strings.
 */
function isListed(value: unknown, values: unknown[]): boolean {
  if (values.length === 0) return true
  return values.some((known) => {
    if (typeof known === 'string' && typeof value === 'string') return matchesGlob(known, value)
    return typeof known !== 'number' && isDeepStrictEqual(known, value)
  })
}

/** A `*` at either end of the pattern, or at both, matches any text. */
export function matchesGlob(pattern: string, text: string): boolean {
  const start = pattern.startsWith('*')
  const end = pattern.length > 1 && pattern.endsWith('*')
  const core = pattern.slice(start ? 1 : 0, end ? -1 : undefined)
  if (start && end) return text.includes(core)
  if (start) return text.endsWith(core)
  return end ? text.startsWith(core) : text === pattern
}
