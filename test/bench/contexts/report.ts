import type { Contender, Workload } from './contender.ts'

/** What `npm run bench -- contexts --json` prints. Rates are per second, times milliseconds, sizes bytes. */
export interface Report {
  benchmark: 'contexts'
  quick: boolean
  host: {
    node: string
    kernel: string
    cpus: number
    memoryBytes: number
    isRoot: boolean
    levels: string[]
    /** What else the machine did when it began: the load of the last minute. */
    load: number
  }
  contenders: Contender[]
  throughput: Throughput[]
  firstLine: FirstLine[]
  memory: { workload: Workload; contender: string; pssBytes: number }[]
  facts: Fact[]
}

/** Requests that ended each second, with as many inside at once as `atOnce`. */
export interface Throughput {
  workload: Workload
  contender: string
  atOnce: number
  /** Median of the rounds. */
  perSecond: number
  rounds: number[]
  /** To the bare primitive behind the same walls, median of the rounds' ratios; null where it is one. */
  toPrimitive: number | null
}

/** From enqueueing to the first line of agent code, at an arrival rate. */
export interface FirstLine {
  workload: Workload
  contender: string
  arrivalsPerSecond: number
  samples: number
  p50Ms: number
  p99Ms: number
  /** False where requests piled up: then the times say only that. */
  keptUp: boolean
}

/** One row of what the design asks for. */
export interface Fact {
  what: string
  value: number
  unit: 'x' | 'ms' | 'MB' | '%' | 'calls'
  target: { atMost: number } | { atLeast: number }
  met: boolean
}

/** A row with its verdict. Rounded first, so that what is printed is what is judged. */
export function fact(what: string, unit: Fact['unit'], value: number, target: Fact['target']): Fact {
  const rounded = Math.round(value * 100) / 100
  const met = 'atMost' in target ? rounded <= target.atMost : rounded >= target.atLeast
  return { what, value: rounded, unit, target, met }
}
