import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isAlive, until } from '../support/tiny-service.ts'
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
    expect(await world.ended(bad)).toMatchObject({ outcome: 'failed', error: { type: 'crashed' } })
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

/** A request that waits at a gate in a worker of level thread. */
async function running(gate: string) {
  const options = { isolation: 'thread' as const, lockMs: 4000 }
  const worker = await world.spawnWorker('gated', options)
  const id = await world.add('gated', { gate })
  await world.gates.arrived(gate)
  return { worker, id, again: () => world.spawnWorker('gated', options) }
}

describe('I9 nothing lost at level thread', () => {
  test.each(['worker', 'launcher', 'frozen'])('when its %s is killed, or frozen', async (what) => {
    const { worker, id, again } = await running(what)
    await expect.poll(() => worker.below()).toHaveLength(2)
    const pids = worker.below()
    if (what === 'launcher') process.kill(worker.launcherPid(), 'SIGKILL')
    else worker.kill(what === 'frozen' ? 'SIGSTOP' : 'SIGKILL')
    if (what !== 'frozen') await until('all gone', () => pids.every((pid) => !isAlive(pid)), 15_000)
    await using _second = await again()
    await world.gates.arrived(what, 2)
    world.gates.pass(what)
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed', result: { attempt: 1 } })
    await worker[Symbol.asyncDispose]()
    await until('all gone', () => pids.every((pid) => !isAlive(pid)), 15_000)
  })
})
