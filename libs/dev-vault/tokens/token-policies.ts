import { matchesGlob } from '../acl/parameters.ts'
import { NOT_ASSIGNABLE } from '../acl/policy-store.ts'
import { badRequest } from '../errors.ts'
import type { TokenEntry } from './token-entry.ts'
import type { TokenRole } from './token-roles.ts'

export interface PolicyRequest {
  wanted: string[]
  noDefault: boolean
  parent: TokenEntry
  isSudo: boolean
  role: TokenRole | undefined
}

/**
 * Which policies a new token gets. A role with allowed or disallowed policies decides by itself; else a child's are a
 * subset of its parent's, unless the parent has sudo on the route.
 * @throws VaultRefusal 400
 */
export function resolvePolicies(request: PolicyRequest): string[] {
  const names = request.role && decides(request.role) ? byRole(request, request.role) : byParent(request)
  const final = request.noDefault ? names.filter((name) => name !== 'default') : names
  const reserved = final.find((name) => NOT_ASSIGNABLE.includes(name))
  if (reserved) throw badRequest(`cannot assign policy "${reserved}"`)
  if (final.includes('root') && !request.parent.policies.includes('root'))
    throw badRequest('root tokens may not be created without parent token being root')
  return final
}

/** Lower case, each once, sorted; root stands alone. */
export function sanitize(names: readonly string[], addDefault = false): string[] {
  const clean = new Set(names.map((name) => name.trim().toLowerCase()).filter(Boolean))
  if (clean.has('root')) return ['root']
  if (addDefault) clean.add('default')
  return [...clean].toSorted()
}

function decides(role: TokenRole): boolean {
  return [role.allowed, role.disallowed, role.allowedGlob, role.disallowedGlob].some(
    (list) => list.length > 0,
  )
}

function byRole({ wanted, noDefault, parent }: PolicyRequest, role: TokenRole): string[] {
  const addDefault =
    !noDefault && !role.noDefaultPolicy && !isListed('default', role.disallowed, role.disallowedGlob)
  const restricts = role.allowed.length > 0 || role.allowedGlob.length > 0
  const allowed = sanitize(role.allowed, addDefault)
  const names =
    wanted.length > 0
      ? sanitize(wanted, addDefault)
      : restricts
        ? allowed
        : sanitize(parent.policies, addDefault)
  if (restricts && !names.every((name) => isListed(name, allowed, role.allowedGlob)))
    throw badRequest(
      `token policies (${goList(names)}) must be subset of the role's allowed policies (${goList(allowed)}) or glob policies (${goList(sanitize(role.allowedGlob))})`,
    )
  const refused = names.find((name) => isListed(name, role.disallowed, role.disallowedGlob))
  if (refused) throw badRequest(`token policy "${refused}" is disallowed by this role`)
  return names
}

function byParent({ wanted, noDefault, parent, isSudo }: PolicyRequest): string[] {
  if (wanted.length === 0) return sanitize(parent.policies)
  if (isSudo) return sanitize(wanted, !noDefault)
  const names = sanitize(wanted)
  if (!names.every((name) => parent.policies.includes(name)))
    throw badRequest('child policies must be subset of parent')
  return sanitize(names, !noDefault && parent.policies.includes('default'))
}

function isListed(name: string, exact: string[], globs: string[]): boolean {
  return exact.includes(name) || globs.some((glob) => matchesGlob(glob, name))
}

const goList = (names: string[]) => `[${names.map((name) => JSON.stringify(name)).join(' ')}]`
