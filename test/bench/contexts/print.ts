import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fact, Report } from './report.ts'

/** The report for people, and what it does not say. */
export function printReport(report: Report): string {
  const { host } = report
  const head = `Contexts, ${host.cpus} cores, Node ${host.node}, kernel ${host.kernel}, load ${host.load.toFixed(1)} at the begin${report.quick ? ' (quick: the figures say nothing)' : ''}`
  const notes = readFileSync(join(import.meta.dirname, 'NOTES.md'), 'utf8')
  const parts = [
    head,
    ...(report.contenders.length > 0 ? tablesOf(report) : []),
    factsTable(report.facts),
    notes,
  ]
  return `${parts.join('\n\n')}\n`
}

function tablesOf(report: Report): string[] {
  const workloads = [...new Set(report.throughput.map((row) => row.workload))]
  return workloads.flatMap((workload) => {
    const atOnce = [...new Set(report.throughput.map((row) => row.atOnce))]
    const arrivals = [...new Set(report.firstLine.map((row) => row.arrivalsPerSecond))]
    const names = report.contenders.map(({ name }) => name)
    const rate = (name: string, at: number) =>
      report.throughput.find(
        (row) => row.workload === workload && row.contender === name && row.atOnce === at,
      )
    const rates = names.map((name) => [
      label(report, name),
      ...atOnce.map((at) => rate(name, at)?.perSecond.toFixed(1) ?? ''),
      ...atOnce.map((at) => rate(name, at)?.toPrimitive?.toFixed(2) ?? ''),
    ])
    const line = (name: string, at: number) =>
      report.firstLine.find(
        (row) => row.workload === workload && row.contender === name && row.arrivalsPerSecond === at,
      )
    const memory = (name: string) =>
      report.memory.find((row) => row.workload === workload && row.contender === name)?.pssBytes ?? Number.NaN
    const times = names.map((name) => [
      label(report, name),
      ...arrivals.map((at) => timesCell(line(name, at))),
      (memory(name) / 1e6).toFixed(1),
    ])
    const rateHead = [
      `${workload}: requests/s`,
      ...atOnce.map((at) => `${at} at once`),
      ...atOnce.map((at) => `x bare, ${at}`),
    ]
    const timeHead = [
      `${workload}: ms to first line`,
      ...arrivals.map((at) => `${at}/s p50/p99`),
      'MB/context',
    ]
    return [table([rateHead, ...rates]), table([timeHead, ...times])]
  })
}

const label = ({ contenders }: Report, name: string) =>
  contenders.find((one) => one.name === name)?.reused ? `${name} (reused)` : name

const timesCell = (row: Report['firstLine'][number] | undefined) =>
  row ? (row.keptUp ? `${row.p50Ms.toFixed(1)}/${row.p99Ms.toFixed(1)}` : 'piles up') : ''

/** What the design asks for, with its verdicts. */
export function factsTable(facts: Fact[]): string {
  const rows = facts.map(({ what, value, unit, target, met }) => [
    what,
    `${value} ${unit}`,
    'atMost' in target ? `<= ${target.atMost}` : `>= ${target.atLeast}`,
    met ? 'met' : 'missed',
  ])
  return table([['what', 'measured', 'target', ''], ...rows])
}

/** Columns as wide as their widest cell, the first to the left and the others to the right. */
export function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  const lineOf = (row: string[]) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ')
  return rows.map((row) => lineOf(row).trimEnd()).join('\n')
}
