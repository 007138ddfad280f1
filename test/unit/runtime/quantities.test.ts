import { formatDuration } from '#lib/runtime'
import { expect, test } from 'vitest'

test.each([
  [7.4, '7 ms'],
  [999.4, '999 ms'],
  [999.6, '1.00 s'],
  [1500, '1.50 s'],
  [59_994, '59.99 s'],
  [59_996, '1 m 0 s'],
  [185_000, '3 m 5 s'],
  [239_600, '4 m 0 s'],
])('%d ms are shown as %s: no unit is ever full', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})
