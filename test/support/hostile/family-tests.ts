import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Level } from '#lib/wire'
import { levels } from '../contexts.ts'
import { families } from './families.ts'
import { type Cell, cellOf, type Hostile, UNTOUCHED } from './hostile.ts'
import { besiege } from './siege.ts'
import { type OpenTargets, openTargets } from './targets.ts'

/** Those of all families that nothing but their timeout ends: they share a short one. */
export const WAITING = 'whatever only its timeout ends'
const SHORT_MS = 5000
/** Never reached but on a machine that is busy beyond reason. */
const LONG_MS = 60_000
/** What worker and launcher may hold more after a family than before: less than the memory of one attempt. */
const GROWTH_BYTES = 40 * 2 ** 20
const PATIENCE = 180_000

interface Row {
  level: Level
  permitted: boolean
  family: string
}

/** Tests families at every level that this host gives, with and without permissions. */
export function testFamilies(names: string[]): void {
  let open: OpenTargets
  beforeAll(async () => {
    open = await openTargets()
  })
  afterAll(() => open[Symbol.asyncDispose]())
  describe('I2 bounded, I4 sealed: a hostile agent ends as promised, and nobody else notices', () => {
    test.each(rowsOf(names))(
      'level $level, permissions $permitted: $family',
      { timeout: PATIENCE },
      async (row) => {
        const { level, permitted, family } = row
        const hostiles = membersOf(row)
        const timeoutMs = family === WAITING ? SHORT_MS : LONG_MS
        const siege = await besiege({ level, permitted, hostiles, timeoutMs, targets: open.targets })
        const cells = new Map(hostiles.map((one) => [one.name, cellOf(one, level, permitted)]))
        const expected = siege.endings.map(([name, end]) => [name, promised(cells.get(name)!, end)])
        expect(siege.endings).toHaveLength(hostiles.length)
        expect(siege.endings).toEqual(expected)
        expect(siege.late).toEqual([])
        expect(siege.neighbours).toEqual(siege.neighbours.map((end) => promised(neighbourCell(level), end)))
        expect(siege.launcherLives).toBe(true)
        expect(siege.left).toEqual([])
        expect(siege.grownBytes).toBeLessThan(GROWTH_BYTES)
        expect(open.harm().filter((one) => one !== unpromised(row))).toEqual([])
      },
    )
  })
}

/** What was seen where it is in the cell, else the cell. */
const promised = (cell: Cell, seen: string) => (cell.includes(seen) ? seen : cell)

const neighbourCell = (level: Level): Cell => (level === 'thread' ? [UNTOUCHED, 'interrupted'] : [UNTOUCHED])

/** What reach.ts says that level process does not hold. */
const unpromised = ({ level, permitted }: Row) =>
  level === 'process' && permitted ? 'unix, open to all' : undefined

function rowsOf(names: string[]): Row[] {
  return levels.flatMap((level) =>
    (level === 'thread' ? [false] : [false, true]).flatMap((permitted) =>
      names.map((family) => ({ level, permitted, family })).filter((row) => membersOf(row).length > 0),
    ),
  )
}

function membersOf({ level, permitted, family }: Row): Hostile[] {
  const all = family === WAITING ? Object.values(families).flat() : families[family]!
  return all.filter((one) => {
    const cell = cellOf(one, level, permitted)
    return cell !== 'not promised' && cell.includes('timed-out') === (family === WAITING)
  })
}
