import { expect, test } from 'vitest'
import { facts, table } from '../../../services/cli/terminal.ts'

const ROWS = [
  ['coordinator', 1, 'namespace'],
  ['a', 100, null],
]

test('columns are aligned, figures on the right, what is not known a dash', () =>
  expect(table(['agent', 'slots', 'level'], ROWS, { figures: ['slots'] })).toBe(
    ['agent        slots  level', 'coordinator      1  namespace', 'a              100  -'].join('\n'),
  ))

test.each([80, 40, 26, 23])('no row is longer than a terminal of %i columns', (width) => {
  const lines = table(['agent', 'slots', 'level'], ROWS, { width }).split('\n')
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(width)
  expect(lines[1]).toMatch(/^coor/)
})

test('a cell cannot write to the terminal', () => {
  expect(table(['a'], [['\u001b[31m']])).not.toContain('\u001b')
  expect(facts([['a', 'x\ny\u001b']])).toBe('a  x\\u{a}y\\u{1b}')
})

test('facts that are not known are left out', () =>
  expect(
    facts([
      ['id', 1],
      ['error', undefined],
    ]),
  ).toBe('id  1'))
