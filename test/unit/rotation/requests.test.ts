import { describe, expect, test } from 'vitest'
import {
  describeRotation,
  newRecord,
  requestRotation,
  setSchedule,
  supplyKey,
  viewOf,
  whyNotSupplied,
} from '#lib/rotation'
import { rotationWorld } from '../../support/rotation-world.ts'

const SECRET = 'openai-api-key'

describe('what an operator asks for', () => {
  test('while a rotator works is kept, and does not stop it', async () => {
    const world = rotationWorld()
    await world.ask()
    const { store } = world.open()
    const verify = async () => {
      await setSchedule(store, SECRET, { every: 'weekly', by: 'ann', at: 1 })
    }
    expect((await world.open({ over: { verify } }).tend()).state).toBe('grace')
    expect(world.record().schedule).toMatchObject({ every: 'weekly', by: 'ann' })
  })

  test('twice is one rotation, with the stronger of both wishes', async () => {
    const world = rotationWorld()
    const { store } = world.open()
    await requestRotation(store, SECRET, { at: 1, by: 'ann', revokeOld: true })
    await requestRotation(store, SECRET, { at: 2, by: 'bob', revokeOld: false })
    await world.settle()
    expect(world.account.created).toHaveLength(2)
    expect(world.record().history.map(({ state }) => state)).not.toContain('disabled')
  })

  test('as a schedule is in force from the next look on, and taken back by null', async () => {
    const world = rotationWorld()
    const machine = world.open()
    await machine.tend()
    await setSchedule(machine.store, SECRET, { every: 'monthly', by: 'ann', at: 1 })
    expect(new Date((await machine.tend()).until).toISOString()).toBe('2026-12-01T03:00:00.000Z')
    await setSchedule(machine.store, SECRET, { every: null, by: 'ann', at: 2 })
    expect(new Date((await machine.tend()).until).toISOString()).toBe('2026-11-28T03:00:00.000Z')
  })

  test('that is no schedule changes nothing', async () => {
    const world = rotationWorld()
    const { store } = world.open()
    await expect(setSchedule(store, SECRET, { every: 'hourly', by: 'ann', at: 1 })).rejects.toThrow(
      'expected daily',
    )
    expect(world.kv.writes).toEqual([])
  })

  test('with a key of their own has that key verified and made live', async () => {
    const world = rotationWorld()
    const key = world.account.add('made in a console')
    const supplied = ({ supplied }: { supplied: typeof key | undefined }) => Promise.resolve(supplied!)
    const machine = world.open({ over: { create: supplied } })
    await supplyKey(machine.store, SECRET, { ...key, request: { at: 1, by: 'ann', revokeOld: false } })
    await machine.tend()
    expect(world.liveValue()).toBe(key.value)
  })
})

describe('a key from an operator’s hand', () => {
  const awaiting = { provider: { awaitsKeys: true } as never }
  const rotation = { id: 'r', by: 'ann', startedAt: 1, revokeOld: false, old: null }

  test('is for a provider that makes none by itself', () => {
    const making = { provider: {} as never }
    expect(whyNotSupplied(making, { rotation: null })).toContain('makes keys by itself')
    expect(whyNotSupplied(awaiting, { rotation: null })).toBeUndefined()
  })

  test('takes no other key’s place: it waits until that one is live', () => {
    expect(whyNotSupplied(awaiting, { rotation })).toContain('on its way')
    expect(whyNotSupplied(awaiting, { rotation: { ...rotation, generation: 2 } })).toBeUndefined()
  })

  test('that comes right after the promotion stays, for the rotation after', async () => {
    const world = rotationWorld()
    const { store, tend } = world.open()
    await world.ask()
    expect(await tend()).toMatchObject({ state: 'grace' })
    const { record, version } = await store.load(SECRET)
    await store.save({ ...record, state: 'promoted' }, version)
    const key = world.account.add('made in a console')
    await supplyKey(store, SECRET, { ...key, request: { at: 1, by: 'ann', revokeOld: false } })
    expect(await tend()).toMatchObject({ state: 'grace' })
    expect(await store.pending(SECRET)).toMatchObject({ value: key.value })
  })
})

test('a view has no value and no whole key id in it', async () => {
  const world = rotationWorld()
  await world.ask()
  await world.settle()
  const text = JSON.stringify(viewOf(world.record(), { every: 'daily' }))
  expect(text).not.toMatch(/value-of|key_00000\d/)
  expect(text).toContain('key_***0002')
})

test('a dry run says what would be done, and for how long both keys are valid', () => {
  const world = rotationWorld()
  const { secret } = world.open()
  const plan = describeRotation(secret, newRecord(SECRET), { revokeOld: false })
  expect(plan.graceMs).toBe(1_240_000)
  expect(plan.steps.join('; ')).toContain('keep both keys valid for 1240 s')
  expect(describeRotation(secret, newRecord(SECRET), { revokeOld: true }).graceMs).toBe(0)
})
