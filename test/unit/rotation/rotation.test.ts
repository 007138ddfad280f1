import { expect, test, describe } from 'vitest'
import { HOUR_MS, rotationWorld } from '../../support/rotation-world.ts'

describe('a rotation', () => {
  test('goes through every state, and says so in its history', async () => {
    const world = rotationWorld()
    await world.ask()
    expect(await world.settle()).toBe('idle')
    expect(world.record().history.map(({ state }) => state)).toEqual([
      'creating',
      'created',
      'verified',
      'promoted',
      'grace',
      'disabled',
      'revoked',
      'idle',
    ])
    expect(world.record().history[0]!.who).toBe('ann')
    expect(world.announced).toEqual([2])
  })

  test('leaves exactly one key, which is live', async () => {
    const world = rotationWorld()
    const before = world.liveValue()
    await world.ask()
    await world.settle()
    expect(world.account.keys.size).toBe(1)
    expect(world.liveValue()).not.toBe(before)
    expect(world.account.accepts(world.liveValue())).toBe(true)
  })

  test('keeps the old key until the last who may hold it has ended, and not longer than the soak after', async () => {
    const world = rotationWorld()
    const before = world.liveValue()
    await world.ask()
    const machine = world.open()
    const { state, until } = await machine.tend()
    expect(state).toBe('grace')
    expect(until - world.clock.now()).toBe(30_000 + 300_000 + 900_000 + 10_000)
    await world.clock.advance(until - world.clock.now() - 1)
    await machine.tend()
    expect(world.account.accepts(before)).toBe(true)
    await world.clock.advance(1)
    expect((await machine.tend()).state).toBe('disabled')
    expect(world.account.accepts(before)).toBe(false)
    expect(world.account.keys.size).toBe(2)
  })

  test('with the old key to be revoked, waits for nobody', async () => {
    const world = rotationWorld()
    const before = world.liveValue()
    await world.ask(true)
    expect((await world.open().tend()).state).toBe('idle')
    expect(world.account.accepts(before)).toBe(false)
  })

  test('in grace is hurried by a wish to revoke, and a second rotation follows', async () => {
    const world = rotationWorld()
    await world.ask()
    const machine = world.open()
    await machine.tend()
    await world.ask(true)
    expect((await machine.tend()).state).toBe('idle')
    expect(world.account.created).toHaveLength(3)
    expect(world.account.keys.size).toBe(1)
  })

  test('begins by itself when it is due, once for all that was missed', async () => {
    const world = rotationWorld()
    const machine = world.open()
    const { until } = await machine.tend()
    expect(new Date(until).toISOString()).toBe('2026-11-28T03:00:00.000Z')
    await world.clock.advance(10 * 24 * HOUR_MS)
    expect((await machine.tend()).state).toBe('grace')
    await world.settle(machine)
    expect(world.account.created).toHaveLength(2)
    expect(world.record().history[0]!.who).toBe('schedule')
  })

  test('that is due outside of its window waits for it; one that an operator wants does not', async () => {
    const world = rotationWorld({ window: { fromMinute: 600, toMinute: 660 } })
    const machine = world.open()
    await machine.tend()
    await world.clock.advance(16 * HOUR_MS)
    const { state, until } = await machine.tend()
    expect([state, new Date(until).toISOString()]).toEqual(['idle', '2026-11-28T10:00:00.000Z'])
    await world.ask()
    expect((await machine.tend()).state).toBe('grace')
  })

  test('makes the first value where there was none', async () => {
    const world = rotationWorld({ live: false })
    await world.ask()
    await world.settle()
    expect(world.account.accepts(world.liveValue())).toBe(true)
    expect(world.account.keys.size).toBe(1)
  })

  test('makes no value by itself where there is none: it may have been deleted', async () => {
    const world = rotationWorld({ live: false })
    const machine = world.open()
    await machine.tend()
    await world.clock.advance(24 * HOUR_MS)
    expect(await machine.tend()).toMatchObject({ state: 'idle', until: expect.any(Number) })
    expect(world.account.created).toEqual([])
    expect(world.record().history).toMatchObject([{ state: 'idle', note: 'there is no value to rotate' }])
  })

  test('does not end an old value that nobody can tell the key of, and says so', async () => {
    const world = rotationWorld()
    await world.ask()
    await world.settle(world.open({ over: { identify: async () => undefined } }))
    expect(world.account.keys.size).toBe(2)
    expect(world.alerts.map(({ name }) => name)).toContain('old-key-unknown')
  })
})

describe('an old key that is still used when all should have the new one', () => {
  test('is kept for one more grace, and the alert names who may hold it', async () => {
    const world = rotationWorld()
    await world.ask()
    const machine = world.open()
    const { until } = await machine.tend()
    const [old] = world.account.keys.values()
    await world.clock.advance(until - world.clock.now())
    old!.lastUsedAt = world.clock.now() - 1
    const again = await machine.tend()
    expect(again).toEqual({ state: 'grace', until: world.clock.now() + 1_240_000 })
    const [alert] = world.alerts
    expect(alert).toMatchObject({ name: 'old-key-in-use', labels: { consumer: 'one of writer' } })
    await world.clock.advance(1_240_000)
    old!.lastUsedAt = world.clock.now() - 1
    expect((await machine.tend()).state).toBe('disabled')
  })

  test('is not kept for a use before the caches had ended', async () => {
    const world = rotationWorld()
    await world.ask()
    const machine = world.open()
    const { until } = await machine.tend()
    const [old] = world.account.keys.values()
    old!.lastUsedAt = world.clock.now() + 1000
    await world.clock.advance(until - world.clock.now())
    expect((await machine.tend()).state).toBe('disabled')
  })
})

describe('a value that grows too old', () => {
  test('is told once a period from one and a half periods on', async () => {
    const world = rotationWorld()
    const refusing = world.open({ over: { create: () => Promise.reject(new Error('503')) } })
    await refusing.tend()
    const overdue = () => world.alerts.filter(({ name }) => name === 'rotation-overdue').length
    await world.clock.advance(35 * HOUR_MS)
    await refusing.tend()
    expect(overdue()).toBe(0)
    await world.clock.advance(2 * HOUR_MS)
    await refusing.tend()
    await refusing.tend()
    expect(overdue()).toBe(1)
    await world.clock.advance(24 * HOUR_MS)
    await refusing.tend()
    expect(overdue()).toBe(2)
  })
})
