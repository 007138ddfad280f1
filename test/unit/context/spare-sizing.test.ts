import { describe, expect, test } from 'vitest'
import { fixedSpares, SpareSizing, type SpareSizingOptions } from '../../../libs/context/spare-sizing.ts'

/** A sizing whose clock is turned by hand; `arrive` spreads attempts evenly over whole seconds. */
function setup(options: Partial<SpareSizingOptions> = {}) {
  let nowMs = 1_000_000
  const sizing = new SpareSizing({
    level: 'namespace',
    slots: 100,
    budgetBytes: 10e9,
    now: () => nowMs,
    ...options,
  })
  const pass = (seconds: number) => (nowMs += seconds * 1000)
  const arrive = (perSecond: number, seconds = 1) => {
    for (let n = 0; n < perSecond * seconds; n++) {
      sizing.asked()
      pass(1 / perSecond)
    }
  }
  return { sizing, pass, arrive }
}

describe('spares follow the arrivals', () => {
  test('one waits before anything has arrived', () => {
    expect(setup().sizing.wanted()).toBe(1)
  })

  test.each([
    { perSecond: 1, startMs: 50, spares: 1 },
    { perSecond: 10, startMs: 50, spares: 3 },
    { perSecond: 10, startMs: 500, spares: 12 },
    { perSecond: 50, startMs: 50, spares: 8 },
    { perSecond: 200, startMs: 50, spares: 20 },
  ])('$perSecond/s that take $startMs ms to replace: $spares', ({ perSecond, startMs, spares }) => {
    const { sizing, arrive } = setup()
    sizing.started(startMs)
    arrive(perSecond, 5)
    expect(sizing.wanted()).toBe(spares)
  })

  test('a burst counts at once, not when its second is over', () => {
    const { sizing, arrive } = setup()
    sizing.started(100)
    arrive(1, 10)
    const before = sizing.wanted()
    for (let n = 0; n < 40; n++) sizing.asked()
    expect(sizing.wanted()).toBeGreaterThan(before + 5)
  })

  test('a second that is over is not added to the one that took its place', () => {
    const { sizing, arrive } = setup()
    sizing.started(100)
    arrive(10, 300)
    expect(sizing.wanted()).toBe(4)
  })

  test('a burst is forgotten after half a minute of quiet, and not before', () => {
    const { sizing, arrive, pass } = setup()
    sizing.started(100)
    arrive(50)
    const busy = sizing.wanted()
    pass(28)
    expect(sizing.wanted()).toBe(busy)
    pass(3)
    expect(sizing.wanted()).toBe(1)
  })

  test('the start time is what was measured lately', () => {
    const { sizing, arrive } = setup()
    arrive(20)
    for (let n = 0; n < 50; n++) sizing.started(50)
    const fast = sizing.wanted()
    for (let n = 0; n < 50; n++) sizing.started(400)
    expect(fast).toBe(4)
    expect(sizing.wanted()).toBe(17)
  })
})

describe('spares are bounded', () => {
  test('by the slots', () => {
    const { sizing, arrive } = setup({ slots: 4 })
    sizing.started(1000)
    arrive(100, 2)
    expect(sizing.wanted()).toBe(4)
    expect(sizing.most).toBe(4)
  })

  test.each([
    { level: 'namespace' as const, spares: 8 },
    { level: 'process' as const, spares: 8 },
    { level: 'thread' as const, spares: 36 },
  ])('by the memory budget, at $level before one was weighed: $spares', ({ level, spares }) => {
    const { sizing, arrive } = setup({ level, budgetBytes: 256e6 })
    sizing.started(1000)
    arrive(200, 2)
    expect(sizing.wanted()).toBe(spares)
  })

  test('by the budget and the heaviest context that was weighed', () => {
    const { sizing, arrive } = setup({ budgetBytes: 256e6 })
    sizing.started(1000)
    arrive(200, 2)
    sizing.weighed(64e6)
    sizing.weighed(2e6)
    expect(sizing.wanted()).toBe(4)
  })

  test('a budget that no spare fits into still gives one', () => {
    expect(setup({ budgetBytes: 1 }).sizing.wanted()).toBe(1)
  })
})

test('a fixed number follows nothing', () => {
  const fixed = fixedSpares(3)
  for (let n = 0; n < 100; n++) fixed.asked()
  fixed.started(10_000)
  fixed.weighed(1e9)
  expect([fixed.wanted(), fixed.most]).toEqual([3, 3])
})
