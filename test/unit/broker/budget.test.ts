import { expect, test } from 'vitest'
import { AttemptBudget } from '#lib/broker'

const limits = { calls: 2, bytes: 10, connections: 3 }

test('the third call of two is refused', () => {
  const budget = new AttemptBudget(limits)
  budget.call()
  budget.call()
  expect(() => budget.call()).toThrow(/2 calls/)
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
