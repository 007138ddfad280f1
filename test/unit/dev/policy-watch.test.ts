import { describe, expect, test } from 'vitest'
import { type PolicyDifference, PolicyWatch } from '../../../services/dev/up/policy-watch.ts'
import { TurnedClock } from '../../support/turned-clock.ts'

const HOUR = 3_600_000
const AS_PLANNED: PolicyDifference[] = []
const WRITER = [{ agentType: 'writer', text: 'policy a was changed' }]
const SIDECAR = [{ text: 'policy b was changed' }]

function setup() {
  const clock = new TurnedClock()
  const raised: string[] = []
  let plan: PolicyDifference[] | Error = AS_PLANNED
  const watch = PolicyWatch.open({
    look: async () => {
      if (plan instanceof Error) throw plan
      return plan
    },
    raise: (agentType) => async (name, _severity, labels) =>
      void raised.push([agentType ?? 'sidecar', name, labels?.['changes']].filter(Boolean).join(' ')),
    everyMs: HOUR,
    clock,
    say: () => {},
  })
  const holds = (now: PolicyDifference[] | Error) => void (plan = now)
  return { clock, raised, holds, [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose]() }
}

describe('the watch over policies', () => {
  test('tells of a difference once for as long as it stays, then of its end', async () => {
    await using world = setup()
    await world.clock.advance(HOUR)
    expect(world.raised).toEqual([])
    world.holds(WRITER)
    await world.clock.advance(5 * HOUR)
    expect(world.raised).toEqual(['writer policy-drift policy a was changed'])
    world.holds(SIDECAR)
    await world.clock.advance(2 * HOUR)
    expect(world.raised.slice(1)).toEqual([
      'sidecar policy-drift policy b was changed',
      'writer policy-drift-over',
    ])
    world.holds(AS_PLANNED)
    await world.clock.advance(2 * HOUR)
    expect(world.raised.slice(3)).toEqual(['sidecar policy-drift-over'])
  })

  test('does not tell of what is being written, nor of a Vault that does not answer', async () => {
    await using world = setup()
    world.holds(WRITER)
    await world.clock.advance(HOUR)
    world.holds(AS_PLANNED)
    await world.clock.advance(HOUR)
    world.holds(new Error('sealed'))
    await world.clock.advance(3 * HOUR)
    expect(world.raised).toEqual([])
  })

  test('an outage is not the end of a difference', async () => {
    await using world = setup()
    world.holds(WRITER)
    await world.clock.advance(2 * HOUR)
    world.holds(new Error('sealed'))
    await world.clock.advance(2 * HOUR)
    world.holds(WRITER)
    await world.clock.advance(2 * HOUR)
    expect(world.raised).toHaveLength(1)
  })

  test('its end leaves no timer', async () => {
    const world = setup()
    await world.clock.advance(1)
    await world[Symbol.asyncDispose]()
    expect(world.clock.sleeping).toBe(0)
  })
})
