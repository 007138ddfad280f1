import { expect, test } from 'vitest'
import { TurnedClock } from '../../support/turned-clock.ts'
import { LoginLimit, Sessions } from '#lib/http'

function setup() {
  const clock = new TurnedClock()
  return { clock, sessions: new Sessions(clock), limit: new LoginLimit(clock) }
}

test('a session ends after 12 hours, and when it is ended', async () => {
  const { clock, sessions } = setup()
  const [first, second] = [sessions.begin('a'), sessions.begin('b')]
  await clock.advance(12 * 3_600_000 - 1)
  expect(sessions.keyHashOf(first)).toBe('a')
  sessions.end(first)
  expect(sessions.keyHashOf(first)).toBeUndefined()
  await clock.advance(1)
  expect(sessions.keyHashOf(second)).toBeUndefined()
})

test('sessions are bounded, and the oldest goes', () => {
  const { sessions } = setup()
  const first = sessions.begin('first')
  const ids = Array.from({ length: 1000 }, () => sessions.begin('x'))
  expect(sessions.keyHashOf(first)).toBeUndefined()
  expect(ids.every((id) => sessions.keyHashOf(id) === 'x')).toBe(true)
})

test('ten wrong keys of an address close it for the rest of the minute, and no other address', async () => {
  const { clock, limit } = setup()
  for (let at = 0; at < 9; at++) limit.failed('a')
  expect(limit.waitMs('a')).toBe(0)
  await clock.advance(20_000)
  limit.failed('a')
  expect([limit.waitMs('a'), limit.waitMs('b')]).toEqual([40_000, 0])
  await clock.advance(40_000)
  expect(limit.waitMs('a')).toBe(0)
  limit.failed('a')
  expect(limit.waitMs('a')).toBe(0)
})
