/** Fields that Vault takes and never shows, or shows in another form. */
const UNSEEN = new Set(['password', 'verify_connection'])

/**
 * What of the wanted fields is otherwise in Vault, as lines for people: `- ` what is there, `+ ` what shall be, and two
 * spaces before what stays. Texts of several lines are compared line by line. No lines: nothing differs.
 */
export function diffFields(
  wanted: Record<string, unknown>,
  found: Record<string, unknown> | undefined,
): string[] {
  return Object.entries(wanted).flatMap(([field, value]) => {
    const before = found?.[field] ?? ''
    if (UNSEEN.has(field) || isSame(value, before)) return []
    if (isText(value) && typeof before === 'string') return diffLines(linesOf(before), linesOf(value))
    const shown = (mark: string, what: unknown) => `${mark} ${field}: ${JSON.stringify(what)}`
    return [...(isEmpty(before) ? [] : [shown('-', before)]), shown('+', value)]
  })
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.includes('\n')
const linesOf = (text: string) => (text === '' ? [] : text.trimEnd().split('\n'))

/** Vault answers durations in seconds, and leaves out or nulls what is empty. */
function isSame(wanted: unknown, found: unknown): boolean {
  return (isEmpty(wanted) && isEmpty(found)) || JSON.stringify(plain(wanted)) === JSON.stringify(plain(found))
}

function plain(value: unknown): unknown {
  if (typeof value === 'string') return /^\d+s$/.test(value) ? Number(value.slice(0, -1)) : value.trimEnd()
  return Array.isArray(value) ? value.map(plain) : value
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  return value === undefined || value === null || value === '' || plain(value) === 0
}

/** The shortest way from one text to another, by the longest common subsequence of their lines; a policy is short. */
function diffLines(from: string[], to: string[]): string[] {
  const common = longestCommon(from, to)
  const lines: string[] = []
  let [at, by] = [0, 0]
  while (at < from.length || by < to.length) {
    if (at < from.length && from[at] === to[by]) {
      lines.push(`  ${from[at++]}`)
      by++
    } else if (by === to.length || (at < from.length && common[at + 1]![by]! >= common[at]![by + 1]!))
      lines.push(`- ${from[at++]}`)
    else lines.push(`+ ${to[by++]}`)
  }
  return lines
}

/** At [at][by]: how many lines the rests from there have in common. */
function longestCommon(from: string[], to: string[]): number[][] {
  const common = Array.from({ length: from.length + 1 }, () => to.concat('').map(() => 0))
  for (let at = from.length - 1; at >= 0; at--)
    for (let by = to.length - 1; by >= 0; by--)
      common[at]![by] =
        from[at] === to[by]
          ? common[at + 1]![by + 1]! + 1
          : Math.max(common[at + 1]![by]!, common[at]![by + 1]!)
  return common
}
