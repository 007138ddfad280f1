import { describe, expect, test, vi } from 'vitest'
import { ARTICLE_AGENTS, ARTICLE_KEYS, ARTICLE_LIMITS, FULL, parse, problemsOf } from './samples.ts'

/** The library of JSON5 warns of U+2028 in a text; the file is judged all the same. */
vi.spyOn(console, 'warn').mockImplementation(() => {})

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const PIECES = ['{', '}', '[', ']', ':', ': ', ',', '"', "'", '\n', '\n  ', '\t', '#', '//', '/*', '&a ', '*a', '!!str ', '!x ', '|', '>', '?', '- ', '---', '<<: *a', '\\', '\\u00', '\0', '\u2028', '\ud800', '\uFEFF', 'null', '~', '.inf', '0x10', '-1', '1e999', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'true', '[]', '{}', '5ms', '99999999d', '{value}', '\r', '💥'] // prettier-ignore

function mutate(text: string, roll: (below: number) => number): string {
  let result = text
  for (let times = 1 + roll(6); times > 0; times--) {
    const at = roll(result.length + 1)
    const end = at + roll(20)
    const lines = result.split('\n')
    const kind = roll(6)
    if (kind === 0) result = result.slice(0, at) + PIECES[roll(PIECES.length)] + result.slice(at)
    if (kind === 1) result = result.slice(0, at) + result.slice(end)
    if (kind === 2) result = result.slice(0, at) + PIECES[roll(PIECES.length)] + result.slice(end)
    if (kind === 3) result = lines.toSpliced(roll(lines.length), 1).join('\n')
    if (kind === 4) result = lines.toSpliced(roll(lines.length), 0, lines[roll(lines.length)]!).join('\n')
    if (kind === 5) result = result.slice(0, at) + result.slice(at, end).repeat(3) + result.slice(end)
  }
  return result
}

describe('whatever a file holds, it parses or is refused with problems (C4)', () => {
  const samples = [
    FULL,
    ARTICLE_AGENTS,
    ARTICLE_LIMITS,
    ARTICLE_KEYS,
    JSON.stringify({ ...parse(FULL) }, null, 1),
  ]
  test.each(samples.map((sample, at) => [at, sample] as const))('mutations of sample %i', (at, sample) => {
    const roll = random(4711 + at)
    for (let round = 0; round < 150; round++) {
      const text = mutate(sample, roll)
      const file = roll(2) ? '/c/t.yaml' : '/c/t.json5'
      for (const problem of problemsOf(text, file)) {
        expect(problem.message, text).not.toBe('')
        expect(problem.line, text).toBeLessThanOrEqual(text.split(/\n|\r/).length)
        expect(JSON.stringify(problem), text).not.toContain('pass-4711')
      }
    }
  })

  test('a value of every kind in every place is refused or accepted, never thrown over', () => {
    const values = [
      'null',
      '5',
      '-1',
      '""',
      'x',
      'true',
      '[]',
      '{}',
      '[[]]',
      '{ a: { b: {} } }',
      '[null]',
      '{ a: null }',
    ]
    const lines = FULL.split('\n')
    for (const [at, line] of lines.entries()) {
      const key = /^(\s*(?:- )?[^:]+:)/.exec(line)?.[1]
      if (key === undefined) continue
      for (const value of values) problemsOf(lines.toSpliced(at, 1, `${key} ${value}`).join('\n'))
    }
  })
})
