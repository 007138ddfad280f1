import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readWorkers, withdrawWorker } from '#lib/queue'
import { levels } from '../support/contexts.ts'
import { families } from '../support/hostile/families.ts'
import { cellOf, type Hostile, NEIGHBOUR, UNTOUCHED } from '../support/hostile/hostile.ts'
import { endingOf, pssOf } from '../support/hostile/siege.ts'
import { isAlive } from '../support/tiny-service.ts'
import { type WorkerProcess, WorkerWorld } from '../support/worker-world.ts'

/** One or two of each kind: all of them, and every measure, are in hostile-limits, -words and -reach. */
const HANDFUL = [
  'an endless loop',
  'Buffer',
  'process.exit(0)',
  'process.abort()',
  'a kill of its parent, worker, launcher and neighbours',
  '10,000 lines like Node’s own',
  'log lines, never yielding',
  'console output',
  'spans',
  'a result 100,000 deep',
  'a result with a __proto__ of its own',
  'an error that cannot be read',
  'a late throw after returning',
]
/** Of a worker that nobody asks to collect its garbage; the others measure after a collection. */
const GROWTH_BYTES = 100 * 2 ** 20

let world: WorkerWorld
beforeAll(async () => {
  const file = new URL('../support/hostile/threadbound.yaml', import.meta.url)
  world = await WorkerWorld.open(fileURLToPath(file))
  world.gates.pass('hold')
})
afterAll(() => world[Symbol.asyncDispose]())

const end = async (id: string) => endingOf(await world.ended(id, 60_000))

/** No attempt runs and both spares are there: the memory of worker and launcher, and how many processes are below. */
async function calm(worker: WorkerProcess): Promise<{ bytes: number; processes: number }> {
  const queue = world.queueOf('hostile')
  const record = async () => (await readWorkers(world.redis, queue)).find(({ pid }) => pid === worker.pid)
  // It is written every two seconds: the one that is there may tell of the rest before all this.
  const old = await record()
  if (old) await withdrawWorker(world.redis, queue, old.id)
  await expect.poll(record, { timeout: 60_000 }).toMatchObject({ active: 0, spares: 2 })
  const bytes = pssOf(worker.pid) + pssOf(worker.launcherPid())
  return { bytes, processes: worker.below().length }
}

describe.each(levels)('I2 bounded: hostile requests through Redis, at level %s', (isolation) => {
  test('end as promised; the worker stays the same process, and other requests complete', async () => {
    await using worker = await world.spawnWorker('hostile', { isolation, slots: 8, spares: 2 })
    const launcher = worker.launcherPid()
    const facts = { permitted: false, level: isolation, own: [], pids: [worker.pid, launcher] }
    const add = (attack: string) => world.add('hostile', { attack, ...facts })

    /** Sends hostile requests, two well-behaved ones after each. */
    async function send(hostiles: Hostile[]): Promise<void> {
      const ids = []
      for (const { name } of hostiles)
        ids.push({ hostile: await add(name), others: [await add(NEIGHBOUR), await add(NEIGHBOUR)] })
      const endings = await Promise.all(ids.map(({ hostile }) => end(hostile)))
      const seen = hostiles.map(({ name }, at) => [name, endings[at]])
      const expected = hostiles.map((one, at) => {
        const cell = cellOf(one, isolation, false)
        return [one.name, cell.includes(endings[at]!) ? endings[at] : cell]
      })
      expect(seen).toEqual(expected)
      const others = await Promise.all(ids.flatMap((one) => one.others).map(end))
      expect(others).toEqual(others.map(() => UNTOUCHED))
    }

    const tried = Object.values(families)
      .flat()
      .filter((one) => HANDFUL.includes(one.name) && cellOf(one, isolation, false) !== 'not promised')
    expect(tried.length).toBeGreaterThan(HANDFUL.length / 2)
    await Promise.all(Array.from({ length: 16 }, async () => end(await add(NEIGHBOUR))))
    const before = await calm(worker)
    await send(tried)
    const after = await calm(worker)
    expect([isAlive(worker.pid), worker.launcherPid()]).toEqual([true, launcher])
    expect(worker.said()).not.toMatch(/uncaught|unhandled/i)
    await expect.poll(() => worker.below().length).toBe(before.processes)
    expect(after.bytes - before.bytes).toBeLessThan(GROWTH_BYTES)
  }, 180_000)
})
