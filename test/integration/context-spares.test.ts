import { describe, expect, test } from 'vitest'
import { fixedSpares, type SparePolicy } from '#lib/context'
import { agentOf, levels, openWorld, type World } from '../support/contexts.ts'

const AGENT = agentOf('return 1')
const TEN_MINUTES_MS = 600_000
const PATIENT = { timeout: 50_000, interval: 20 }

/** A policy that asks for what the test says, and notes what it is told. */
function policy(first: number) {
  const told = { asked: 0, startMs: [] as number[], bytes: [] as number[] }
  const set = { wanted: first }
  const it: SparePolicy = {
    most: 4,
    wanted: () => set.wanted,
    asked: () => void told.asked++,
    started: (ms) => void told.startMs.push(ms),
    weighed: (bytes) => void told.bytes.push(bytes),
  }
  return { it, set, told }
}

const spares = async (world: World, count: number) =>
  expect.poll(() => world.pool.stats(), PATIENT).toEqual({ spares: count, starting: 0, active: 0 })

describe.each(levels)('spares, at level %s', { timeout: 120_000 }, (level) => {
  test('are as many as the policy asks for: more at once, fewer one by one', async () => {
    const { it, set } = policy(1)
    await using world = await openWorld({ level, source: AGENT, spares: it })
    await spares(world, 1)
    set.wanted = 4
    await spares(world, 4)
    set.wanted = 1
    await spares(world, 1)
    expect((await world.run({})).outcome).toBe('completed')
  })

  test('the policy hears of arrivals, start times and what a context holds', async () => {
    const { it, told } = policy(1)
    await using world = await openWorld({ level, source: AGENT, spares: it })
    const ends = []
    for (let n = 0; n < 3; n++) ends.push(await world.run({}))
    await spares(world, 1)
    expect(told.asked).toBe(3)
    expect(told.startMs).toHaveLength(4)
    expect(Math.min(...told.startMs)).toBeGreaterThan(10)
    const empty = ends.map(({ receipt }) => receipt.emptyBytes)
    // Of a thread nothing but its heap can be told.
    if (level === 'thread') return expect([empty, told.bytes]).toEqual([[null, null, null], []])
    expect(told.bytes).toEqual(empty)
    // Charged to whoever had it before is what a context held when it was moved: the heaviest is the measure.
    expect(Math.max(...told.bytes)).toBeGreaterThan(1e6)
    expect(Math.max(...told.bytes)).toBeLessThan(60e6)
  })

  test('those older than ten minutes are replaced, and there is never one less', async () => {
    let now = 0
    let loaded = 0
    const loads = { loaded: () => void loaded++, failed: () => {} }
    await using world = await openWorld({ level, source: AGENT, spares: 2, loads, now: () => now })
    await spares(world, 2)
    const turnedAt = Date.now()
    now += TEN_MINUTES_MS + 1
    let fewest = 2
    const watch = setInterval(() => (fewest = Math.min(fewest, world.pool.stats().spares)), 1)
    await expect.poll(() => loaded, PATIENT).toBe(4)
    await spares(world, 2)
    clearInterval(watch)
    expect(fewest).toBe(2)
    const ends = await Promise.all([world.run({}), world.run({})])
    for (const { receipt } of ends) expect(receipt.startedAt).toBeGreaterThanOrEqual(turnedAt)
  })

  test('one that ends by itself is replaced later each time', async () => {
    const at: number[] = []
    const loads = { loaded: () => void at.push(performance.now()), failed: () => {} }
    const source = agentOf('return 1', 'setTimeout(() => process.exit(0), 1)')
    await using _world = await openWorld({ level, source, loads })
    await expect.poll(() => at.length, PATIENT).toBeGreaterThanOrEqual(5)
    // 100 + 200 + 400 + 800 ms of rest
    expect(at[4]! - at[0]!).toBeGreaterThan(1_450)
  })

  test('no more contexts are alive than there may be, and who waits is served when one has ended', async () => {
    await using world = await openWorld({ level, source: AGENT, spares: fixedSpares(2), maxContexts: 5 })
    const all = Array.from({ length: 9 }, () => world.pool.acquire())
    const full = { spares: 0, starting: 0, active: 5 }
    await expect.poll(() => world.pool.stats(), PATIENT).toEqual(full)
    for (const context of all.slice(0, 4)) await (await context)[Symbol.asyncDispose]()
    await Promise.all(all)
    expect(world.pool.stats()).toMatchObject({ spares: 0, active: 5 })
  })
})
