import { describe, expect, test } from 'vitest'
import { FaultPoints } from '../../support/fault-points.ts'
import { rotationWorld } from '../../support/rotation-world.ts'

/** What a rotation without any fault passes. */
async function labels(): Promise<string[]> {
  const world = rotationWorld()
  await world.ask()
  const points = new FaultPoints()
  expect(await world.settle(world.open({ points }))).toBe('idle')
  return points.labels
}

/** O3 and O4, and that the secret is at rest. */
function expectWhole(world: ReturnType<typeof rotationWorld>): void {
  expect(world.account.accepts(world.liveValue())).toBe(true)
  expect([...world.account.keys.values()].map(({ value }) => value)).toEqual([world.liveValue()])
  expect(world.record()).toMatchObject({ state: 'idle', rotation: null, failure: null })
}

const all = await labels()
const cases = all.map((label, at) => [label, at] as const)

test('a rotation passes all the points that are counted on', () => {
  expect(all.length).toBeGreaterThan(60)
  for (const label of [
    'after create',
    'before write live',
    'after write live',
    'after revoke',
    'after disable',
  ])
    expect(all).toContain(label)
})

describe('a rotator that is killed', () => {
  test.each(cases)('%s (point %i) leaves what another one finishes', async (_label, at) => {
    const world = rotationWorld()
    await world.ask()
    const points = new FaultPoints()
    points.crashAt(at)
    const killed = await world.settle(world.open({ points })).catch(() => 'killed')
    expect(killed).toBe('killed')
    expect(world.account.accepts(world.liveValue())).toBe(true)
    await world.settle()
    expectWhole(world)
    expect(world.liveValue()).not.toBe('value-of-key_000001')
  })

  test.each(cases)(
    '%s (point %i), and its successor at each point after, still leave it whole',
    async (_label, at) => {
      for (const next of [0, 5, 10, 15, 20, 25, 30]) {
        const world = rotationWorld()
        await world.ask()
        for (const point of [at, next]) {
          const points = new FaultPoints()
          points.crashAt(point)
          await world.settle(world.open({ points })).catch(() => {})
          expect(world.account.accepts(world.liveValue())).toBe(true)
        }
        await world.settle()
        expectWhole(world)
      }
    },
  )
})

describe('a call that fails', () => {
  const outside = cases.filter(([label]) => !/(read|write|remove) /.test(label))
  test.each(outside)('%s (point %i) is made up for', async (_label, at) => {
    const world = rotationWorld()
    await world.ask()
    const points = new FaultPoints()
    points.failAt(at, () => new Error('connection reset'))
    expect(await world.settle(world.open({ points }))).toBe('idle')
    expectWhole(world)
  })
})
