import type { Operation } from '../engine.ts'
import { mergeInto, permissionsOf, type Permissions } from './permissions.ts'
import { parametersPass } from './parameters.ts'
import type { Capability, PolicyRule } from './policy.ts'

/** What is judged. `sudo` is set where the route is root-protected. */
export interface AccessRequest {
  operation: Operation
  path: string
  data: ReadonlyMap<string, unknown>
  wrapTtlMs?: number | undefined
  sudo?: boolean
}

const NEEDED: Partial<Record<Operation, Capability>> = {
  read: 'read',
  list: 'list',
  create: 'create',
  update: 'update',
  patch: 'patch',
  delete: 'delete',
}

/**
 * What a set of policies allows. Default deny; exactly one rule counts for a path, the most specific one:
 * the exact path; for list also without its last slash; else the best of the longest prefix and all segment wildcards.
 */
export class Acl {
  readonly #root: boolean
  readonly #exact = new Map<string, Permissions>()
  readonly #prefixes = new Map<string, Permissions>()
  readonly #wildcards = new Map<string, Permissions>()

  constructor(rules: Iterable<PolicyRule>, options: { root?: boolean } = {}) {
    this.#root = options.root ?? false
    for (const rule of rules) this.#add(rule)
  }

  /** True when the request may go on. */
  allows(request: AccessRequest): boolean {
    return this.judge(request).allowed
  }

  /** Whether the request may go on, and which policies grant what it needs. */
  judge(request: AccessRequest): { allowed: boolean; granting: readonly string[] } {
    if (this.#root) return { allowed: true, granting: ['root'] }
    const found = this.#lookup(request.operation, request.path)
    const needed = NEEDED[request.operation]
    if (!found || !needed || !found.capabilities.has(needed)) return DENIED
    if (request.sudo && !found.capabilities.has('sudo')) return DENIED
    if (!wrapTtlPasses(found, request.wrapTtlMs) || !parametersPass(found, request)) return DENIED
    return { allowed: true, granting: [...(found.granting.get(needed) ?? [])] }
  }

  /** True when the path is granted with `sudo`. */
  hasSudo(path: string): boolean {
    return this.#root || (this.#lookup('read', path)?.capabilities.has('sudo') ?? false)
  }

  /** The capabilities on a path, sorted; `['deny']` when there are none, `['root']` for root. */
  capabilities(path: string): string[] {
    if (this.#root) return ['root']
    const found = this.#lookup('list', path)?.capabilities
    return !found || found.size === 0 || found.has('deny') ? ['deny'] : [...found].toSorted()
  }

  #add(rule: PolicyRule): void {
    const wild = hasSegmentWildcard(rule.path)
    const prefix = !wild && rule.path.endsWith('*')
    const rules = wild ? this.#wildcards : prefix ? this.#prefixes : this.#exact
    const key = prefix ? rule.path.slice(0, -1) : rule.path
    const known = rules.get(key)
    if (known) mergeInto(known, rule)
    else rules.set(key, permissionsOf(rule))
  }

  #lookup(operation: Operation, path: string): Permissions | undefined {
    const found = this.#exact.get(path)
    if (found || operation !== 'list') return found ?? this.#best(path)
    const bare = path.endsWith('/') ? path.slice(0, -1) : path
    return this.#exact.get(bare) ?? this.#best(path) ?? (bare === path ? undefined : this.#best(bare))
  }

  #best(path: string): Permissions | undefined {
    let best = this.#longestPrefix(path)
    const segments = path.split('/')
    for (const [pattern, permissions] of this.#wildcards) {
      const candidate = matchWildcard(pattern, segments, permissions)
      if (candidate && (!best || ranksAbove(candidate, best))) best = candidate
    }
    return best?.permissions
  }

  #longestPrefix(path: string): Candidate | undefined {
    for (let length = path.length; length >= 0; length--) {
      const pattern = path.slice(0, length)
      const permissions = this.#prefixes.get(pattern)
      if (permissions) return { pattern, permissions, firstWild: length, isPrefix: true, wildcards: 0 }
    }
    return undefined
  }
}

const DENIED = { allowed: false, granting: [] }

interface Candidate {
  pattern: string
  permissions: Permissions
  firstWild: number
  isPrefix: boolean
  wildcards: number
}

function hasSegmentWildcard(path: string): boolean {
  return path === '+' || path.startsWith('+/') || path.includes('/+')
}

function matchWildcard(written: string, segments: string[], permissions: Permissions): Candidate | undefined {
  const isPrefix = written.endsWith('*')
  const pattern = isPrefix ? written.slice(0, -1) : written
  const parts = pattern.split('/')
  if (isPrefix ? segments.length < parts.length : segments.length !== parts.length) return undefined
  let wildcards = 0
  for (const [index, part] of parts.entries()) {
    const segment = segments[index]!
    if (part === '+') wildcards++
    else if (part !== segment && !(isPrefix && index === parts.length - 1 && segment.startsWith(part)))
      return undefined
  }
  return { pattern, permissions, firstWild: written.indexOf('+'), isPrefix, wildcards }
}

/** Later first wildcard > no glob at the end > fewer wildcards > longer > greater. */
function ranksAbove(a: Candidate, b: Candidate): boolean {
  if (a.firstWild !== b.firstWild) return a.firstWild > b.firstWild
  if (a.isPrefix !== b.isPrefix) return b.isPrefix
  if (a.wildcards !== b.wildcards) return a.wildcards < b.wildcards
  if (a.pattern.length !== b.pattern.length) return a.pattern.length > b.pattern.length
  return a.pattern > b.pattern
}

/** A limit in either direction forces wrapping. */
function wrapTtlPasses({ minWrapMs, maxWrapMs }: Permissions, ttlMs: number | undefined): boolean {
  if (!minWrapMs && !maxWrapMs) return true
  if (ttlMs === undefined) return false
  return ttlMs >= minWrapMs && (!maxWrapMs || ttlMs <= maxWrapMs)
}
