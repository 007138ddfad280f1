import { expect, test } from 'vitest'
import { latest } from '../../../services/worker/latest.ts'

test('of a flood of values the first and the last are written, one at a time', async () => {
  const written: number[] = []
  const done = Promise.withResolvers<void>()
  const first = Promise.withResolvers<void>()
  const write = latest(async (value: number) => {
    written.push(value)
    if (value === 1) await first.promise
    if (value === 1000) done.resolve()
  })
  for (let value = 1; value <= 1000; value++) write(value)
  expect(written).toEqual([1])
  first.resolve()
  await done.promise
  expect(written).toEqual([1, 1000])
})

test('a value that comes after a pause is written too', async () => {
  const written: number[] = []
  const write = latest(async (value: number) => void written.push(value))
  write(1)
  await Promise.resolve()
  await Promise.resolve()
  write(2)
  expect(written).toEqual([1, 2])
})
