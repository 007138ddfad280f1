import type { Level } from '#lib/wire'
import { type Fact, fact, type FirstLine, type Report, type Throughput } from './report.ts'

/** The rows of DESIGN section 7 that follow from the tables. Where there are several concurrencies or workloads, the worst counts. */

type Tables = Pick<Report, 'throughput' | 'firstLine' | 'memory'>

export function factsOf(tables: Tables, levels: Level[]): Fact[] {
  return levels.flatMap((level) => [...ratesOf(tables, level), ...timesOf(tables, level)])
}

function ratesOf({ throughput }: Tables, level: Level): Fact[] {
  const ours = throughput.filter((row) => row.contender === `threadbound ${level}`)
  const isThread = level === 'thread'
  const pool = isThread ? 'tinypool isolateWorkers, worker_threads' : 'tinypool isolateWorkers, child_process'
  const toPool = ours.flatMap((row) => ratioTo(row, throughput, pool))
  const toPrimitive = ours.flatMap(({ toPrimitive }) => toPrimitive ?? [])
  const primitive = isThread ? 'bare new Worker' : 'bare starts behind the same walls'
  return [
    fact(`${level}: contexts per second to ${primitive}, worst`, 'x', Math.min(...toPrimitive), {
      atLeast: isThread ? 0.85 : 0.9,
    }),
    fact(`${level}: contexts per second to ${pool}, worst`, 'x', Math.min(...toPool), {
      atLeast: isThread ? 1.7 : 2,
    }),
  ]
}

function ratioTo(row: Throughput, all: Throughput[], contender: string): number[] {
  const other = all.find(
    (one) => one.contender === contender && one.workload === row.workload && one.atOnce === row.atOnce,
  )
  return other ? [row.perSecond / other.perSecond] : []
}

function timesOf({ firstLine }: Tables, level: Level): Fact[] {
  if (level !== 'namespace') return []
  return firstLine
    .filter((row) => isJudged(row))
    .flatMap(({ p50Ms, p99Ms }) => [
      fact('namespace: enqueue to first line at 10/s, p50', 'ms', p50Ms, { atMost: 5 }),
      fact('namespace: enqueue to first line at 10/s, p99', 'ms', p99Ms, { atMost: 15 }),
    ])
}

const isJudged = ({ contender, arrivalsPerSecond, workload }: FirstLine) =>
  contender === 'threadbound namespace' && arrivalsPerSecond === 10 && workload === 'noop'
