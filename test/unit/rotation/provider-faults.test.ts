import { describe, expect, test } from 'vitest'
import { KeyRefusedError } from '#lib/rotation'
import { VaultError } from '#lib/vault'
import { FaultPoints } from '../../support/fault-points.ts'
import { rotationWorld } from '../../support/rotation-world.ts'

const values = (world: ReturnType<typeof rotationWorld>) =>
  [...world.account.keys.values()].map(({ value }) => value)

/** The number of a point with this label in a rotation without faults. */
async function pointOf(label: string): Promise<number> {
  const world = rotationWorld()
  await world.ask()
  const points = new FaultPoints()
  await world.settle(world.open({ points }))
  return points.labels.indexOf(label)
}

describe('a create that hangs', () => {
  test('is given up at its deadline, and nothing is left of it', async () => {
    const world = rotationWorld()
    await world.ask()
    const machine = world.open({ over: { create: () => new Promise(() => {}) } })
    const startedAt = world.clock.now()
    expect((await machine.tend()).state).toBe('failed')
    expect(world.clock.now() - startedAt).toBeLessThan(32_000)
    expect(world.record()).toMatchObject({ rotation: null, failure: { from: 'creating', count: 1 } })
    expect(values(world)).toEqual([world.liveValue()])
    expect(await world.settle()).toBe('idle')
  })

  test('and makes its key long after is found out at the end of the next rotation', async () => {
    const world = rotationWorld()
    await world.ask()
    let late = ''
    const create = ({ name }: { name: string }) => {
      late = name
      return new Promise<never>(() => {})
    }
    const { until } = await world.open({ over: { create } }).tend()
    await world.clock.advance(until - world.clock.now())
    await world.open().tend()
    world.account.add(late)
    await world.settle()
    expect(values(world)).toEqual([world.liveValue()])
    expect(world.alerts.map(({ name }) => name)).toContain('orphan-key-found')
  })

  test('of another cluster is left alone, and told', async () => {
    const world = rotationWorld()
    const foreign = world.account.add(`${world.keyPrefix}of-another-vault`)
    await world.ask()
    await world.settle()
    expect(world.account.accepts(foreign.value)).toBe(true)
    expect(world.alerts.at(-1)).toMatchObject({
      name: 'orphan-key-found',
      labels: { left: expect.any(String) },
    })
  })
})

describe('a create whose answer was lost', () => {
  test('leaves no key when the failure is on record', async () => {
    const world = rotationWorld()
    await world.ask()
    const points = new FaultPoints()
    points.failAt(await pointOf('after create'), () => new Error('timeout'))
    expect((await world.open({ points }).tend()).state).toBe('failed')
    expect(values(world)).toEqual([world.liveValue()])
  })

  test('leaves no second key beside the one that its successor makes', async () => {
    const world = rotationWorld()
    await world.ask()
    const points = new FaultPoints()
    points.crashAt(await pointOf('after create'))
    await world
      .open({ points })
      .tend()
      .catch(() => {})
    expect(world.account.keys.size).toBe(2)
    expect((await world.open().tend()).state).toBe('grace')
    expect(world.account.keys.size).toBe(2)
  })

  test('is not asked for again once the value waits under its pending path', async () => {
    const world = rotationWorld()
    await world.ask()
    const points = new FaultPoints()
    points.crashAt(await pointOf('after write pending'))
    await world
      .open({ points })
      .tend()
      .catch(() => {})
    await world.settle()
    expect(world.account.created).toHaveLength(2)
  })
})

describe('a new key that is not known everywhere yet', () => {
  test('is tried for 30 s of propagation, and promoted then', async () => {
    const world = rotationWorld()
    world.account.propagationMs = 30_000
    await world.ask()
    const startedAt = world.clock.now()
    expect((await world.open().tend()).state).toBe('grace')
    expect(world.clock.now() - startedAt).toBeGreaterThanOrEqual(30_000)
    expect(world.account.accepts(world.liveValue())).toBe(true)
  })

  test('is taken back when it is never known; the old one stays live', async () => {
    const world = rotationWorld()
    const before = world.liveValue()
    world.account.propagationMs = 10 ** 9
    await world.ask()
    expect((await world.open().tend()).state).toBe('failed')
    expect(world.record().failure).toMatchObject({ from: 'created', reason: 'key is refused' })
    expect(world.liveValue()).toBe(before)
    expect(values(world)).toEqual([before])
    expect([...world.kv.entries.keys()].filter((path) => path.includes('pending'))).toEqual([])
  })
})

describe('an end that is refused', () => {
  test('is tried until it is taken; the new key is live all along', async () => {
    const world = rotationWorld()
    await world.ask()
    const refusing = world.open({ over: { revoke: () => Promise.reject(new Error('HTTP 409')) } })
    const { until } = await refusing.tend()
    await world.clock.advance(until - world.clock.now())
    await refusing.tend()
    await world.clock.advance(600_000)
    expect((await refusing.tend()).state).toBe('failed')
    expect(world.record().failure).toMatchObject({ from: 'disabled', reason: 'HTTP 409' })
    expect(world.account.accepts(world.liveValue())).toBe(true)
    expect(await world.settle()).toBe('idle')
    expect(values(world)).toEqual([world.liveValue()])
  })

  test('is told at every failure, and is critical from the third on', async () => {
    const world = rotationWorld()
    await world.ask(true)
    const refusing = world.open({ over: { revoke: () => Promise.reject(new Error('HTTP 409')) } })
    for (let tries = 0; tries < 3; tries++) {
      const { until } = await refusing.tend()
      await world.clock.advance(until - world.clock.now())
    }
    expect(world.alerts.map(({ name, severity }) => `${name} ${severity}`)).toEqual([
      'rotation-failed warning',
      'rotation-failed warning',
      'rotation-failed critical',
    ])
  })

  test('in silence is found out: the old key must be refused before a rotation is over', async () => {
    const world = rotationWorld()
    await world.ask(true)
    const lying = world.open({ over: { revoke: async () => {} } })
    expect((await lying.tend()).state).toBe('failed')
    expect(world.record().failure).toMatchObject({
      from: 'revoked',
      reason: 'revoke: the old key is still accepted',
    })
  })
})

describe('a new key that is refused after it was made live', () => {
  test.each([false, true])(
    'does not take the old one with it (to be revoked at once: %s)',
    async (revokeOld) => {
      const world = rotationWorld()
      const [before] = values(world)
      await world.ask(revokeOld)
      let tried = 0
      const verify = ({ value }: { value: string }) => {
        const isRefused = value !== before && ++tried > 1
        return isRefused ? Promise.reject(new KeyRefusedError('key')) : Promise.resolve()
      }
      const machine = world.open({ over: { verify } })
      const { until } = await machine.tend()
      await world.clock.advance(until - world.clock.now())
      expect((await machine.tend()).state).toBe('failed')
      expect(world.record().failure!.reason).toContain('the old one stays')
      expect(world.account.accepts(before)).toBe(true)
    },
  )
})

describe('a promotion', () => {
  test('whose answer cannot be read is not taken back', async () => {
    const world = rotationWorld()
    await world.ask()
    const points = new FaultPoints()
    const failure = { kind: 'server', operation: 'POST kv', status: 200, retryable: false } as const
    points.failAt(await pointOf('after write live'), () => new VaultError(failure))
    expect((await world.open({ points }).tend()).state).toBe('grace')
    expect(world.account.accepts(world.liveValue())).toBe(true)
  })

  test('gives way to what an operator has put in the meantime', async () => {
    const world = rotationWorld()
    await world.ask()
    const path = world.names.secret('openai-api-key')
    const by = world.account.add('by hand')
    const verify = async () => void world.kv.entries.get(path)!.push({ value: by.value })
    expect((await world.open({ over: { verify } }).tend()).state).toBe('failed')
    expect(world.liveValue()).toBe(by.value)
    expect(world.account.keys.size).toBe(2)
  })
})

describe('a Vault that does not answer', () => {
  test('is no failure of the rotation, which goes on where it was', async () => {
    const world = rotationWorld()
    await world.ask()
    const points = new FaultPoints()
    const away = new VaultError({ kind: 'sealed', operation: 'POST kv' })
    points.failAt(await pointOf('before write live'), () => away)
    await expect(world.open({ points }).tend()).rejects.toBe(away)
    expect(world.record()).toMatchObject({ state: 'verified', failure: null })
    await world.settle()
    expect(world.account.created).toHaveLength(2)
  })
})
