import { availableParallelism, loadavg, release, totalmem } from 'node:os'
import type { Level } from '#lib/wire'
import { openCell } from './cell.ts'
import type { BenchCluster } from './cluster.ts'
import { type Contender, WORKLOADS } from './contender.ts'
import { factsOf } from './facts.ts'
import { memoryFacts } from './idle-memory.ts'
import { longQueueFacts } from './long-queue.ts'
import { firstLinesOf, type Plan, throughputOf } from './measure.ts'
import { memoryOfContext } from './memory.ts'
import type { Fact, Report } from './report.ts'
import { telemetryFact } from './telemetry-cost.ts'

const FULL: Plan = {
  workloads: WORKLOADS,
  atOnce: [1, 2, 4, 8],
  arrivals: { noop: [1, 10, 50], heavy: [1, 10] },
  rounds: 3,
  seconds: 1,
}
/** Shows that everything runs; its figures say nothing. */
const QUICK: Plan = {
  workloads: ['noop'],
  atOnce: [2],
  arrivals: { noop: [10], heavy: [] },
  rounds: 1,
  seconds: 0.2,
}
const WAITING = { full: 1_000_000, quick: 5000 }
const SLOTS = 16
const HELD = { full: { count: 8, holdMs: 4000 }, quick: { count: 2, holdMs: 1200 } }

/** What to run, and where to tell how far it is. */
export interface RunOptions {
  quick: boolean
  levels: Level[]
  say: (line: string) => void
}

/** Runs everything, one part after the other; within a part all contenders are open side by side. */
export async function runContexts({ quick, levels, say }: RunOptions): Promise<Report> {
  const plan = quick ? QUICK : FULL
  const held = quick ? HELD.quick : HELD.full
  const host = hostFacts(levels)
  const contenders = new Map<string, Contender>()
  const tables: Pick<Report, 'throughput' | 'firstLine' | 'memory'> = {
    throughput: [],
    firstLine: [],
    memory: [],
  }
  const own: Fact[] = []
  for (const workload of plan.workloads) {
    for (const atOnce of plan.atOnce) {
      say(`${workload}: requests per second, ${atOnce} at once`)
      await using cell = await openCell({ workload, atOnce, levels })
      for (const { contender } of cell.all) contenders.set(contender.name, contender)
      tables.throughput.push(...(await throughputOf(cell, { workload, atOnce }, plan)))
    }
    await using cell = await openCell({ workload, atOnce: SLOTS, levels })
    say(`${workload}: enqueue to first line`)
    tables.firstLine.push(...(await firstLinesOf(cell, workload, plan)))
    say(`${workload}: memory`)
    for (const opener of cell.openers) {
      const { name, bytes } = await memoryOfContext(opener, held)
      tables.memory.push({ workload, contender: name, pssBytes: bytes })
    }
    if (workload === 'noop') own.push(...(await ownFacts(cell.cluster, { quick, levels, say })))
  }
  const facts = [...factsOf(tables, levels), ...own]
  return { benchmark: 'contexts', quick, host, contenders: [...contenders.values()], ...tables, facts }
}

/** The rows that no table shows, of threadbound alone. */
async function ownFacts(cluster: BenchCluster, { quick, levels, say }: RunOptions): Promise<Fact[]> {
  const level = levels[0]!
  say('memory of an idle worker and of its contexts')
  const memory = await memoryFacts(cluster, levels, quick ? HELD.quick : HELD.full)
  say('telemetry on against off')
  const spans = await telemetryFact(
    { cluster, level },
    quick ? { rounds: 1, count: 20 } : { rounds: 5, count: 150 },
  )
  say('a long queue against an empty one')
  const waiting = quick ? WAITING.quick : WAITING.full
  const queue = await longQueueFacts({ cluster, level, telemetry: false }, waiting, quick ? 1 : 3)
  return [...memory, spans, ...queue]
}

const hostFacts = (levels: Level[]): Report['host'] => ({
  node: process.version,
  kernel: release(),
  cpus: availableParallelism(),
  memoryBytes: totalmem(),
  isRoot: process.getuid!() === 0,
  levels,
  load: loadavg()[0]!,
})
