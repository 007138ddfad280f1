import type { PolicyRule } from '../../libs/dev-vault/acl/policy.ts'

/**
 * A second, naive statement of the rules of priority, to compare the real one with: every rule is turned into a regular
 * expression, all that match are ranked, the first one decides. Slow on purpose, shares no code.
 */
export function naiveCapabilities(rules: PolicyRule[], path: string, isList: boolean): string[] {
  const attempts = isList && path.endsWith('/') ? [path, path.slice(0, -1)] : [path]
  for (const isExact of [true, false])
    for (const attempt of attempts) {
      const fitting = rules.filter(
        (rule) => isExactRule(rule) === isExact && expression(rule.path).test(attempt),
      )
      if (fitting.length === 0) continue
      const pattern = fitting.map((rule) => rule.path).toSorted(compare)[0]
      return union(fitting.filter((rule) => rule.path === pattern))
    }
  return []
}

const isExactRule = ({ path }: PolicyRule) => !path.endsWith('*') && !path.split('/').includes('+')

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

function firstWild(pattern: string): number {
  const at = `/${pattern}/`.search(/\/\+\//)
  return at >= 0 ? at : pattern.length - 1
}
const plusses = (pattern: string) => pattern.split('/').filter((segment) => segment === '+').length

function union(rules: PolicyRule[]): string[] {
  const all = new Set(rules.flatMap((rule) => [...rule.capabilities]))
  return all.has('deny') ? ['deny'] : [...all].toSorted()
}
