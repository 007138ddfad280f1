import type { Redis } from 'ioredis'
import { FencedError } from '#lib/rotation'
import { silentLog } from '#lib/runtime'
import { serviceKeys } from '#lib/queue'
import { VaultError } from '#lib/vault'
import { describe, expect, test } from 'vitest'
import { wantedAlerts } from '../../../services/rotator/alerts.ts'
import { Tending } from '../../../services/rotator/tending.ts'
import { settle, TurnedClock } from '../../support/turned-clock.ts'

const EVERY_MS = 60_000

/** One secret whose record says when it is due; nobody else holds a lock. */
async function setup({ fail }: { fail?: () => Error | undefined } = {}) {
  const clock = new TurnedClock(1_000_000)
  const due = { at: Infinity }
  const turns: number[] = []
  const alerts: string[] = []
  const woken: [string, number][] = []
  const redis = { set: async () => 'OK', eval: async () => 1 } as unknown as Redis
  const rotation = {
    look: async () => {
      const error = fail?.()
      if (error) throw error
      const isDue = clock.now() >= due.at
      return { state: 'idle' as const, until: due.at, isDue }
    },
    tend: async () => {
      turns.push(clock.now())
      due.at = clock.now() + 10 * EVERY_MS
      return { state: 'idle' as const, until: due.at }
    },
  }
  const tending = await Tending.open({
    secrets: new Map([['key', { rotation, account: 'one' }]]),
    redis,
    keys: serviceKeys({ cluster: 'demo', environment: 'dev' }, 'rotator'),
    raise: async (name) => void alerts.push(name),
    log: silentLog,
    wakeAt: async (secret, at) => {
      woken.push([secret, at])
      throw new Error('Redis is away')
    },
    lookEveryMs: EVERY_MS,
    clock,
  })
  await settle()
  return {
    clock,
    due,
    turns,
    alerts,
    woken,
    tending,
    [Symbol.asyncDispose]: () => tending[Symbol.asyncDispose](),
  }
}

describe('a secret that becomes due', () => {
  test('is tended by the own timer, with no job and no word from anyone', async () => {
    await using world = await setup()
    world.due.at = world.clock.now() + 90_000
    await world.clock.advance(EVERY_MS)
    expect(world.turns).toEqual([])
    await world.clock.advance(30_000)
    expect(world.turns).toEqual([1_090_000])
  })

  test('is tended at once when it is woken', async () => {
    await using world = await setup()
    world.due.at = world.clock.now()
    world.tending.wake('other')
    await settle()
    expect(world.turns).toEqual([])
    world.tending.wake('key')
    await settle()
    expect(world.turns).toEqual([1_000_000])
  })

  test('is put on the queue for its next step; a queue that is away stops nothing', async () => {
    await using world = await setup()
    world.due.at = world.clock.now()
    world.tending.wake()
    await settle()
    expect(world.woken).toEqual([['key', 1_600_000]])
    await world.clock.advance(10 * EVERY_MS)
    expect(world.turns).toEqual([1_000_000, 1_600_000])
  })
})

describe('a look that fails', () => {
  test('is repeated, later each time, told at the fifth failure, and forgotten when it succeeds', async () => {
    let isAway = true
    const away = () => (isAway ? new VaultError({ kind: 'sealed', operation: 'GET kv' }) : undefined)
    await using world = await setup({ fail: away })
    await world.clock.advance(1000 + 2000 + 4000)
    expect(world.alerts).toEqual([])
    await world.clock.advance(8000)
    expect(world.alerts).toEqual(['rotation-failed'])
    isAway = false
    world.due.at = world.clock.now()
    await world.clock.advance(16_000)
    expect(world.turns).toHaveLength(1)
  })

  test('because another has taken over is no failure', async () => {
    await using world = await setup({ fail: () => new FencedError('key') })
    await world.clock.advance(20_000)
    expect(world.alerts).toEqual([])
  })
})

test('nothing is left when it ends', async () => {
  const world = await setup()
  await world[Symbol.asyncDispose]()
  expect(world.clock.sleeping).toBe(0)
})

test.each([
  [true, ['rotation-failed', 'orphan-key-found']],
  [false, ['orphan-key-found']],
])('with alerts.rotation-failed %s are told %j', async (rotationFailed, told) => {
  const names: string[] = []
  const alerts = { rotationFailed, unexpectedSource: true, concurrencyAbovePercent: 90 }
  const raise = wantedAlerts(alerts, async (name) => void names.push(name))
  await raise('rotation-failed', 'warning')
  await raise('orphan-key-found', 'warning')
  expect(names).toEqual(told)
})
