import { describe, expect, test } from 'vitest'
import { agentOf, levels, openWorld } from '../support/contexts.ts'

const PLANT = agentOf(
  `
  const found: string[] = []
  const g = globalThis as any
  if (g.planted) found.push('global')
  if (process.env['PLANTED']) found.push('environment')
  if (g.Array.prototype.planted) found.push('prototype')
  for (const folder of ['/tmp', '/dev/shm', '/var/tmp']) {
    try { if (fs.existsSync(folder + '/planted')) found.push(folder) } catch {}
    try { fs.writeFileSync(folder + '/planted', 'x') } catch {}
  }
  g.planted = true
  g.Array.prototype.planted = true
  process.env['PLANTED'] = '1'
  return { found, seen: counter++ }
`,
  'let counter = 0',
)

test('this host gives the level namespace, at least in CI', () => {
  if (process.env['CI']) expect(levels).toContain('namespace')
  else expect(levels.length).toBeGreaterThan(0)
})

describe.each(levels)('I1 fresh, at level %s', (level) => {
  test('50 attempts in a row see nothing of each other', async () => {
    await using world = await openWorld({ level, source: PLANT, spares: 3 })
    const ends = []
    for (let at = 0; at < 50; at++) ends.push(await world.run({}))
    expect(ends.map((end) => end.outcome)).toEqual(ends.map(() => 'completed'))
    expect(ends.map((end) => end.result)).toEqual(ends.map(() => ({ found: [], seen: 0 })))
    // Threads share one process, and whom it runs as.
    const processes = level === 'thread' ? 1 : 50
    expect(new Set(ends.map((end) => end.receipt.pid)).size).toBe(processes)
    expect(new Set(ends.map((end) => end.receipt.context)).size).toBe(50)
    expect(ends.every((end) => end.receipt.reuse === 0)).toBe(true)
    if (process.getuid!() === 0) expect(new Set(ends.map((end) => end.receipt.uid)).size).toBe(processes)
  })

  test('a context that has run refuses a second attempt', async () => {
    await using world = await openWorld({ level, source: agentOf('return 1') })
    const { context } = await world.run({})
    const again = await context.run({ ...({} as any), request: {} }, {}, new AbortController().signal)
    expect(again.outcome).not.toBe('completed')
  })

  test('a receipt says what held', async () => {
    await using world = await openWorld({
      level,
      source: agentOf('(globalThis as any).kept = Buffer.alloc(20e6, 1); return 1'),
    })
    const { receipt } = await world.run({})
    // In a process that many share, nobody can tell who started what.
    const processes = level === 'thread' ? null : 0
    expect(receipt).toMatchObject({ level, reuse: 0, endedBy: 'released', leftOver: { processes } })
    expect(receipt.limits).toMatchObject({
      memoryBytes: { value: 50e6 },
      timeMs: { value: 60_000, by: 'launcher' },
    })
    expect(receipt.overshootBytes).toBe(0)
    expect(receipt.peakBytes).toBeGreaterThan(15e6)
    expect(receipt.readyAt).toBeGreaterThanOrEqual(receipt.startedAt)
  })
})
