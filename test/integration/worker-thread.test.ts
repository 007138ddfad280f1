import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WorkerWorld } from '../support/worker-world.ts'

let world: WorkerWorld
beforeAll(async () => {
  world = await WorkerWorld.open()
})
afterAll(() => world[Symbol.asyncDispose]())

const endsOf = async (id: string) =>
  (await world.view(id)).attemptRecords.map(({ attempt, outcome, receipt }) => [
    attempt,
    outcome,
    (receipt as { endedBy: string }).endedBy,
  ])

describe('I2 and I9 at level thread: a request that takes its host down each time', () => {
  test('is found out and fails; the one beside it is interrupted once, is not charged, and completes', async () => {
    await using _worker = await world.openWorker('deadly', { isolation: 'thread', slots: 3 })
    const good = await world.add('deadly', { gate: 'beside' })
    await world.gates.arrived('beside')
    const bad = await world.add('deadly', { kills: true })
    expect(await world.ended(bad, 40_000)).toMatchObject({
      outcome: 'failed',
      error: { type: 'crashed' },
    })
    await world.gates.arrived('beside', 2)
    world.gates.pass('beside')
    expect(await world.ended(good)).toMatchObject({ outcome: 'completed' })
    expect(await endsOf(bad)).toEqual([
      [1, 'interrupted', 'host-lost'],
      [1, 'failed', 'signal'],
      [2, 'failed', 'signal'],
    ])
    expect(await endsOf(good)).toEqual([
      [1, 'interrupted', 'host-lost'],
      [1, 'completed', 'released'],
    ])
  })
})
