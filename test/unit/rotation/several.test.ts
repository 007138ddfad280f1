import { describe, expect, test } from 'vitest'
import { rotationWorld } from '../../support/rotation-world.ts'
import { TurnedClock } from '../../support/turned-clock.ts'

describe('clocks that differ', () => {
  test('by no more than the skew that is allowed for never end a key that someone may hold', async () => {
    for (const [promoter, ender] of [
      [-5000, 5000],
      [5000, -5000],
    ] as const) {
      const world = rotationWorld()
      const before = world.liveValue()
      await world.ask()
      const clock = (offset: number) => {
        const skewed = new TurnedClock()
        skewed.now = () => world.clock.now() + offset
        skewed.sleep = (ms, signal) => world.clock.sleep(ms, signal)
        return skewed
      }
      const startedAt = world.clock.now()
      await world.open({ clock: clock(promoter) }).tend()
      const second = world.open({ clock: clock(ender) })
      const lastHoldMs = 30_000 + 300_000 + 900_000
      while (world.account.accepts(before)) {
        await world.clock.advance(1000)
        await second.tend()
      }
      expect(world.clock.now() - startedAt).toBeGreaterThanOrEqual(lastHoldMs)
    }
  })
})

describe('two rotators at once', () => {
  test('make one key live; the one that was overtaken stops without touching it', async () => {
    const world = rotationWorld()
    await world.ask()
    const held = Promise.withResolvers<void>()
    const create = async ({ name }: { name: string }) => {
      await held.promise
      return world.account.add(name)
    }
    const slow = world.open({ over: { create } }).tend()
    await world.clock.advance(0)
    expect((await world.open().tend()).state).toBe('grace')
    const live = world.liveValue()
    held.resolve()
    await expect(slow).rejects.toThrow('was taken over')
    expect(world.liveValue()).toBe(live)
    await world.settle()
    expect([...world.account.keys.values()].map(({ value }) => value)).toEqual([live])
    expect([...world.kv.entries.keys()].filter((path) => path.includes('pending'))).toEqual([])
  })
})
