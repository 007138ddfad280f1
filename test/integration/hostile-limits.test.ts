import { describe, expect, test } from 'vitest'
import { agentOf, levels, openWorld } from '../support/contexts.ts'
import { testFamilies, WAITING } from '../support/hostile/family-tests.ts'

testFamilies(['memory', 'processes', WAITING])

describe.each(levels)('I2 bounded, at level %s', (level) => {
  test('an attempt that the kernel ended is told so, even where our kill overtakes the news of it', async () => {
    const source = agentOf('const held = []; for (;;) held.push(Buffer.alloc(2 ** 20, 1))')
    await using world = await openWorld({ level, source, spares: 2, limits: { graceMs: 0 } })
    const ends = []
    for (let at = 0; at < 8; at++) ends.push((await world.run({})).outcome)
    expect(ends).toEqual(ends.map(() => 'out-of-memory'))
  })
})
