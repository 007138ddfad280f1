import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { agentOf, levels, openWorld } from '../support/contexts.ts'
import { aliveAfter, residueOf } from '../support/residue.ts'
import { childrenOf } from '../support/seen-from-outside.ts'

const WAIT = { timeout: 60_000, interval: 100 }
const temporary = () => readdirSync(tmpdir()).filter((name) => /^tb-(agent|launcher)-/.test(name))

describe.each(levels)('I2: nothing is left, at level %s', (level) => {
  test('after disposal there is no process, cgroup, mount or temporary file', async () => {
    const before = temporary()
    const world = await openWorld({ level, source: agentOf('return process.getuid()'), spares: 3 })
    const { pid } = world.launcher
    const ends = [await world.run({}), await world.run({}), await world.run({})]
    await world[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
    expect(ends.map((end) => end.outcome)).toEqual(['completed', 'completed', 'completed'])
    expect(residueOf(pid)).toEqual([])
    // What another launcher on this machine has made goes away again; what is ours and left would stay.
    const found = temporary().filter((name) => !before.includes(name))
    await expect.poll(() => temporary().filter((name) => found.includes(name)), WAIT).toEqual([])
    if (process.getuid!() === 0) expect(ends.flatMap((end) => aliveAfter(end.receipt))).toEqual([])
  })

  test('a running attempt is ended when the pool is disposed', async () => {
    const world = await openWorld({ level, source: agentOf('return new Promise(() => {})') })
    const started = Promise.withResolvers<void>()
    const running = world.run({}, { started: () => started.resolve() })
    await started.promise
    await world[Symbol.asyncDispose]()
    expect((await running).outcome).not.toBe('completed')
  })

  test('the launcher keeps no descriptor of a context that has ended', async () => {
    await using world = await openWorld({ level, source: agentOf('return 1'), spares: 1 })
    const descriptors = () => readdirSync(`/proc/${world.launcher.pid}/fd`).length
    const settle = () => expect.poll(() => world.pool.stats()).toEqual({ spares: 1, starting: 0, active: 0 })
    await world.run({})
    await settle()
    const before = descriptors()
    for (let at = 0; at < 5; at++) await world.run({})
    await settle()
    await expect.poll(descriptors).toBeLessThanOrEqual(before)
    await expect.poll(() => childrenOf(world.launcher.pid)).toHaveLength(1)
  })
})
