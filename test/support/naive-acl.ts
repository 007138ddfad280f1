import type { AccessRequest } from '../../libs/dev-vault/acl/acl.ts'
import type { PolicyRule } from '../../libs/dev-vault/acl/policy.ts'

/**
 * A second, naive statement of how policies judge, to compare the real one with: every rule is turned into a regular
 * expression, all that match are ranked, those of the first pattern decide together. Slow on purpose, shares no code.
 * `bareFirst`: Vault asks patterns for the path of a list without its last slash first, OpenBao with it.
 */
export function naiveCapabilities(
  rules: PolicyRule[],
  path: string,
  { isList, bareFirst = false }: { isList: boolean; bareFirst?: boolean },
): string[] {
  const all = new Set(deciding(rules, path, { isList, bareFirst }).flatMap((rule) => [...rule.capabilities]))
  return all.has('deny') ? ['deny'] : [...all].toSorted()
}

/** True when the request may go on. */
export function naiveAllows(rules: PolicyRule[], request: AccessRequest): boolean {
  const { operation, path, data } = request
  const counting = deciding(rules, path, { isList: operation === 'list', bareFirst: false })
  const granted = new Set<string>(counting.flatMap((rule) => [...rule.capabilities]))
  if (granted.has('deny') || !granted.has(operation)) return false
  if (request.sudo && !granted.has('sudo')) return false
  if (!wrapPasses(counting, request.wrapTtlMs)) return false
  if (operation === 'list' || operation === 'delete') return true
  const required = counting.flatMap((rule) => rule.required)
  if (!required.every((name) => data.has(name.toLowerCase()))) return false
  return [...data].every(([name, value]) => parameterPasses(counting, name.toLowerCase(), value))
}

function deciding(
  rules: PolicyRule[],
  path: string,
  { isList, bareFirst }: { isList: boolean; bareFirst: boolean },
): PolicyRule[] {
  const attempts = isList && path.endsWith('/') ? [path, path.slice(0, -1)] : [path]
  for (const isExact of [true, false])
    for (const attempt of isExact || !bareFirst ? attempts : attempts.toReversed()) {
      const fitting = rules.filter(
        (rule) => isExactRule(rule) === isExact && expression(rule.path).test(attempt),
      )
      if (fitting.length === 0) continue
      const pattern = fitting.map((rule) => rule.path).toSorted(compare)[0]
      return fitting.filter((rule) => rule.path === pattern)
    }
  return []
}

/** A later segment that begins with a plus makes a pattern one with wildcards, also where it is more than the plus. */
const hasWildcard = (pattern: string) =>
  pattern.split('/').some((segment, index) => (index > 0 ? segment.startsWith('+') : segment === '+'))
const isExactRule = ({ path }: PolicyRule) => !path.endsWith('*') && !hasWildcard(path)

function expression(pattern: string): RegExp {
  const isGlob = pattern.endsWith('*')
  const source = (isGlob ? pattern.slice(0, -1) : pattern)
    .split('/')
    .map((segment) =>
      segment === '+' ? '[^/]*' : segment.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`),
    )
    .join('/')
  return new RegExp(`^${source}${isGlob ? '.*' : ''}$`)
}

/** Best first. */
function compare(left: string, right: string): number {
  return (
    firstWild(right) - firstWild(left) ||
    Number(left.endsWith('*')) - Number(right.endsWith('*')) ||
    plusses(left) - plusses(right) ||
    right.length - left.length ||
    (left < right ? 1 : -1)
  )
}

/** The first plus counts, a literal one too, as in Vault; without wildcards it is the star. */
const firstWild = (pattern: string) => (hasWildcard(pattern) ? pattern.indexOf('+') : pattern.length - 1)
const plusses = (pattern: string) => pattern.split('/').filter((segment) => segment === '+').length

function wrapPasses(rules: PolicyRule[], ttlMs: number | undefined): boolean {
  const limits = (of: (rule: PolicyRule) => number) => rules.map(of).filter((ms) => ms > 0)
  const [least, most] = [limits((rule) => rule.minWrapMs), limits((rule) => rule.maxWrapMs)]
  if (least.length === 0 && most.length === 0) return true
  if (ttlMs === undefined) return false
  return (
    (least.length === 0 || ttlMs >= Math.min(...least)) && (most.length === 0 || ttlMs <= Math.min(...most))
  )
}

function parameterPasses(rules: PolicyRule[], name: string, value: unknown): boolean {
  if (rules.some((rule) => rule.denied.has('*'))) return false
  const denied = rules.flatMap((rule) => (rule.denied.has(name) ? [rule.denied.get(name)!] : []))
  if (denied.some((values) => holds(values, value))) return false
  const names = new Set(rules.flatMap((rule) => [...rule.allowed.keys()]))
  if (names.size === 0 || (names.size === 1 && names.has('*'))) return true
  const allowed = rules.flatMap((rule) => (rule.allowed.has(name) ? [rule.allowed.get(name)!] : []))
  return allowed.length === 0 ? names.has('*') : allowed.some((values) => holds(values, value))
}

function holds(values: unknown[], value: unknown): boolean {
  if (values.length === 0) return true
  return values.some((known) => {
    if (typeof known === 'number') return false
    if (typeof known !== 'string' || typeof value !== 'string') return known === value
    const inner = known.replaceAll('*', '')
    const [open, close] = [known.startsWith('*'), known.length > 1 && known.endsWith('*')]
    const at = open && close ? value.indexOf(inner) : open ? value.length - inner.length : 0
    if (open && close) return at >= 0
    if (open) return value.endsWith(inner)
    return close ? value.startsWith(inner) : value === known
  })
}
