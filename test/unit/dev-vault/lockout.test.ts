import { expect, test } from 'vitest'
import { Lockout } from '../../../libs/dev-vault/approle/lockout.ts'
import { TurnedClock } from '../../support/turned-clock.ts'

const MINUTE = 60_000

function setup(failures: number) {
  const clock = new TurnedClock(0)
  const lockout = new Lockout(clock)
  for (let count = 0; count < failures; count++) lockout.countFailure('role')
  return { clock, lockout }
}

test('the fifth failure locks one role id, for 15 minutes after the last', async () => {
  const { clock, lockout } = setup(4)
  expect(lockout.isLocked('role')).toBe(false)
  await clock.advance(10 * MINUTE)
  lockout.countFailure('role')
  expect([lockout.isLocked('role'), lockout.isLocked('other')]).toEqual([true, false])
  await clock.advance(15 * MINUTE - 1)
  expect(lockout.isLocked('role')).toBe(true)
  await clock.advance(1)
  expect(lockout.isLocked('role')).toBe(false)
})

test('after a rest of 15 minutes the count begins anew', async () => {
  const { clock, lockout } = setup(4)
  await clock.advance(15 * MINUTE + 1)
  lockout.countFailure('role')
  expect(lockout.isLocked('role')).toBe(false)
})
