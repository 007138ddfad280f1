import type { SeededRandom } from './seeded-random.ts'

const CAPABILITIES = ['read', 'list', 'update', 'create', 'patch', 'delete', 'sudo']
const WORDS = ['a', 'b', 'ab', '+b', 'a+b']

/** Paths and patterns over so few words that rules meet again and again. */
export function randomPaths({ pick, upTo }: SeededRandom) {
  const join = (words: string[]) => Array.from({ length: 1 + upTo(3) }, () => pick(words)).join('/')
  return {
    path: () => join([...WORDS, 'abc']) + pick(['', '', '/']),
    /** A path that the pattern may fit. */
    pathFor: (pattern: string) =>
      pattern
        .replace(/\*$/, () => pick(['', 'a', 'b/a']))
        .split('/')
        .map((segment) => (segment === '+' ? pick(WORDS) : segment))
        .join('/'),
    pattern: () => {
      const path = join([...WORDS, '+', '+', '+'])
      const end = pick(['', '', '', '/', '*', '/*'])
      return path.endsWith('+') && end === '*' ? path : path + end
    },
  }
}

/** The text of a policy that says anything that section 1.7 knows, for a number of patterns. */
export function randomPolicy(random: SeededRandom, { parameters }: { parameters: boolean }): string {
  const { pattern } = randomPaths(random)
  const rules = Array.from({ length: 1 + random.upTo(6) }, () => {
    const capabilities = new Set([
      random.pick(CAPABILITIES),
      ...random.some(2, () => random.pick(CAPABILITIES)),
    ])
    const granted = random.chance(0.1)
      ? `policy = "${random.pick(['read', 'write', 'sudo', 'deny'])}"`
      : `capabilities = ${JSON.stringify([...capabilities])}`
    return `path "${pattern()}" { ${granted} ${parameters ? randomLimits(random) : ''} }`
  })
  return rules.join('\n')
}

const NAMES = ['x', 'Y', 'z']
const VALUES = ['1', 'one', 'on*', '*ne', '*n*', 1, true]

/** Parameters and wrapping limits of one rule; now and then none. */
export function randomLimits(random: SeededRandom): string {
  const parameters = (key: string) => {
    const names = new Set(random.some(2, () => random.pick([...NAMES, '*'])))
    const entries = [...names].map(
      (name) => `"${name}" = ${JSON.stringify(random.some(2, () => random.pick(VALUES)))}`,
    )
    return random.chance(0.3) ? `${key} = { ${entries.join(', ')} }` : ''
  }
  const [first, second] = [random.pick([10, 20, 30]), random.pick([30, 40])]
  return [
    parameters('allowed_parameters'),
    parameters('denied_parameters'),
    random.chance(0.15) ? `required_parameters = ["${random.pick(NAMES)}"]` : '',
    random.chance(0.1) ? `min_wrapping_ttl = "${first}s"` : '',
    random.chance(0.1) ? `max_wrapping_ttl = ${second}` : '',
  ].join('\n')
}

/** What a request may carry. */
export function randomBody(random: SeededRandom): ReadonlyMap<string, unknown> {
  const value = () => random.pick(['1', 'one', 'two', 1, 2, true, null])
  return new Map(random.some(2, () => [random.pick(['x', 'y', 'z', 'Z', 'other']), value()]))
}
