import { expect, test } from 'vitest'
import { AttemptBudget } from '#lib/broker'

const limits = { calls: 2, burst: 100, callsPerSecond: 1, accesses: 3, bytes: 10, connections: 3 }

test('the third call of two is refused', () => {
  const budget = new AttemptBudget(limits)
  budget.call()
  budget.call()
  expect(() => budget.call()).toThrow(/2 calls/)
})

test('G10: calls beyond the burst are refused until time has passed, and cost none of the calls that there are', () => {
  let now = 0
  const budget = new AttemptBudget({ ...limits, calls: 5, burst: 2, callsPerSecond: 10 }, () => now)
  budget.call()
  budget.call()
  expect(() => budget.call()).toThrow(expect.objectContaining({ type: 'call-rate', retryAfterMs: 100 }))
  now = 100
  budget.call()
  expect(() => budget.call()).toThrow(expect.objectContaining({ type: 'call-rate' }))
  now = 60_000
  budget.call()
  budget.call()
  expect(() => budget.call()).toThrow(expect.objectContaining({ type: 'call-rate' }))
  expect(budget.calls).toBe(5)
})

test('I8: the fourth use of a secret of three is refused, so that no attempt fills the audit log', () => {
  const budget = new AttemptBudget(limits)
  for (let use = 0; use < 3; use++) budget.access()
  expect(() => budget.access()).toThrow(expect.objectContaining({ type: 'attempt-limit' }))
})

test('bytes add up over calls', () => {
  const budget = new AttemptBudget(limits)
  budget.move(10)
  expect(() => budget.move(1)).toThrow(/10 bytes/)
})

test('I4: the fourth relay fails at once, and a freed place is free once', () => {
  const budget = new AttemptBudget(limits)
  const [free] = [budget.connect(), budget.connect(), budget.connect()]
  expect(() => budget.connect()).toThrow(expect.objectContaining({ type: 'too-many-connections' }))
  free()
  free()
  budget.connect()
  expect(() => budget.connect()).toThrow(/at most 3/)
})
