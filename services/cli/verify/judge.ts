import type { Level } from '#lib/wire'
import { PROBES } from './canary/probes.ts'
import { type Check, CHECKS, type Evidence } from './checks.ts'

/**
 * `held`, `BROKEN`: promised, and so it is or not. `open`, `closed`: not promised, and seen or not. `untried`: no canary
 * could say. In the control, `open` is what should be seen, and `blind` is a row that proves nothing on this host.
 */
export type Verdict = 'held' | 'BROKEN' | 'open' | 'closed' | 'untried' | 'blind'

/** One row in one column. */
export interface Cell {
  row: string
  promised: boolean
  verdict: Verdict
  /** What was seen, each once. */
  seen: string[]
  /** What refused the rest, and how often. */
  refused: Record<string, number>
}

/** A row of the matrix. */
export interface Row {
  name: string
  tried: string
  promised: readonly Level[]
}

/** All rows, in order; what the host judges of a probe's row is part of that row. */
export const ROWS: readonly Row[] = [
  ...CHECKS.slice(0, 2),
  ...PROBES,
  ...CHECKS.slice(2).filter(({ name }) => !PROBES.some((probe) => probe.name === name)),
].map(({ name, tried, promised }) => ({ name, tried, promised }))

/** Judges one column. `level`: undefined for the control. */
export function judge(level: Level | undefined, evidence: Evidence): Cell[] {
  return ROWS.map((row) => cellOf(row, level, evidence))
}

function cellOf({ name, promised }: Row, level: Level | undefined, evidence: Evidence): Cell {
  const said = evidence.flown.flatMap((one) => one.said?.seen[name] ?? [])
  const isProbe = PROBES.some((probe) => probe.name === name)
  const judged = CHECKS.find((check: Check) => check.name === name)?.judge(evidence)
  const seen = [
    ...new Set([...said.flatMap((one) => one.seen), ...(judged ?? []), ...(evidence.heard.get(name) ?? [])]),
  ]
  const isTried = isProbe ? said.length === evidence.flown.length && said.length > 0 : judged !== undefined
  const isPromised = level !== undefined && promised.includes(level)
  return {
    row: name,
    promised: isPromised,
    verdict: verdictOf({ isControl: level === undefined, isPromised, isTried, isSeen: seen.length > 0 }),
    seen,
    refused: total(said.map(({ refused }) => refused)),
  }
}

function verdictOf(one: {
  isControl: boolean
  isPromised: boolean
  isTried: boolean
  isSeen: boolean
}): Verdict {
  if (!one.isTried && !one.isSeen) return 'untried'
  if (one.isControl) return one.isSeen ? 'open' : 'blind'
  if (one.isPromised) return one.isSeen ? 'BROKEN' : 'held'
  return one.isSeen ? 'open' : 'closed'
}

function total(all: Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [code, count] of all.flatMap((one) => Object.entries(one)))
    sums[code] = (sums[code] ?? 0) + count
  return sums
}
