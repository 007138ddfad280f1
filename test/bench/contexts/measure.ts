import type { Cell } from './cell.ts'
import type { Running, Setting, Workload } from './contender.ts'
import type { FirstLine, Throughput } from './report.ts'
import { arrivalsAt, median, percentile } from './statistics.ts'

/** How long and how often things are measured. */
export interface Plan {
  workloads: Workload[]
  atOnce: number[]
  /** Each second. What nothing keeps up with takes minutes to be worked off, and says nothing more. */
  arrivals: Record<Workload, number[]>
  rounds: number
  /** Of one measurement of one contender, seconds. */
  seconds: number
}

const MOST_REQUESTS = 3000
const FEWEST_REQUESTS = 12
/** Arrivals are watched for so many times as long as throughput. */
const ARRIVAL_SECONDS = 4
/** After one request that does not count. */
const WARM_MS = 300
const STEADY_MS = 50

/** Requests per second of all contenders, turn by turn, so that what else the machine does hits all alike. */
export async function throughputOf(cell: Cell, setting: Setting, plan: Plan): Promise<Throughput[]> {
  const { workload, atOnce } = setting
  const counts = new Map<Running, number>()
  for (const running of cell.all) {
    const rate = await running.perSecond(FEWEST_REQUESTS)
    counts.set(running, Math.round(Math.min(Math.max(rate * plan.seconds, FEWEST_REQUESTS), MOST_REQUESTS)))
  }
  const rates = new Map<string, number[]>()
  for (let round = 0; round < plan.rounds; round++)
    for (const running of turned(cell.all, round)) {
      const rate = await running.perSecond(counts.get(running)!)
      rates.set(running.contender.name, [...(rates.get(running.contender.name) ?? []), rate])
    }
  return cell.all.map(({ contender: { name, primitive } }) => {
    const rounds = rates.get(name)!
    const base = primitive ? rates.get(primitive) : undefined
    const toPrimitive = base ? median(rounds.map((rate, at) => rate / base[at]!)) : null
    return { workload, contender: name, atOnce, perSecond: median(rounds), rounds, toPrimitive }
  })
}

/** Times to the first line at each arrival rate. */
export async function firstLinesOf(cell: Cell, workload: Workload, plan: Plan): Promise<FirstLine[]> {
  const rows: FirstLine[] = []
  for (const arrivalsPerSecond of plan.arrivals[workload]) {
    const seen = new Map(cell.all.map((running) => [running, [] as number[]]))
    for (let round = 0; round < plan.rounds; round++)
      for (const [running, times] of await roundOf(cell, { arrivalsPerSecond, round, plan }))
        seen.get(running)!.push(...times)
    for (const [{ contender }, times] of seen) {
      const facts = { samples: times.length, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) }
      rows.push({ workload, contender: contender.name, arrivalsPerSecond, ...facts, keptUp: isSteady(times) })
    }
  }
  return rows
}

interface Round {
  arrivalsPerSecond: number
  round: number
  plan: Plan
}

/** Below two a second the contenders share the seconds, each in its own part of them; above, they take turns. */
async function roundOf(
  cell: Cell,
  { arrivalsPerSecond, round, plan }: Round,
): Promise<[Running, number[]][]> {
  const count = Math.ceil(plan.seconds * ARRIVAL_SECONDS * Math.max(arrivalsPerSecond, 2))
  if (arrivalsPerSecond < 2) {
    const shared = cell.all.map(async (running, at): Promise<[Running, number[]]> => {
      const part = (at * 1000) / cell.all.length
      return [running, await running.toFirstLine(Array.from({ length: count }, (_, n) => part + n * 1000))]
    })
    return Promise.all(shared)
  }
  const rows: [Running, number[]][] = []
  const arrivals = [0, ...arrivalsAt(arrivalsPerSecond, count, round + 1).map((ms) => WARM_MS + ms)]
  for (const running of turned(cell.all, round))
    rows.push([running, (await running.toFirstLine(arrivals)).slice(1)])
  return rows
}

/** False where the last quarter waited far longer than the first: requests piled up. */
function isSteady(times: number[]): boolean {
  const quarter = Math.ceil(times.length / 4)
  const last = median(times.slice(-quarter))
  return last < STEADY_MS || last < median(times.slice(0, quarter)) * 3
}

const turned = <T>(all: T[], by: number): T[] => [
  ...all.slice(by % all.length),
  ...all.slice(0, by % all.length),
]
