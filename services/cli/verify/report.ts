import type { LevelReport } from '#lib/context'
import { table, terminalWidth } from '../terminal.ts'
import { type Column, titleOf } from './column.ts'
import { type Cell, ROWS, type Verdict } from './judge.ts'

/** What verification found, for people and for programs. */
export interface Verification {
  runs: number
  columns: Column[]
  /** Levels that this host does not give. */
  missing: LevelReport[]
}

const LEGEND = `"no walls": the control, the same canaries in one plain Node process. "-p": Node's --permission off, the kernel's walls alone.
held: promised, and nothing was seen. BROKEN: promised, and something was. closed, open: not promised, and nothing or something
was seen. blind: not seen without walls either, so the row proves nothing on this host. -: not tried.`
const SHOWN: Record<Verdict, string> = {
  held: 'held',
  BROKEN: 'BROKEN',
  open: 'open',
  closed: 'closed',
  blind: 'blind',
  untried: '-',
}

/** Promised cells that are anything but held, as one line each; faults of canaries among them. Empty when all is well. */
export function faultsOf(columns: Column[]): string[] {
  return columns.flatMap((column) => [
    ...column.cells.filter(isBroken).map((cell) => `BROKEN: ${lineOf(column, cell)}`),
    ...column.faults.map((fault) => `${titleOf(column)}: ${fault}`),
  ])
}

const isBroken = ({ promised, verdict }: Cell) => promised && verdict !== 'held'

/** The matrix, what it means, and what was seen where it was not promised otherwise. */
export function matrixText({ columns, missing }: Verification): string {
  const header = ['', ...columns.map(titleOf), 'tried']
  const rows = ROWS.map(({ name, tried }, at) => [
    name,
    ...columns.map(({ cells }) => SHOWN[cells[at]!.verdict]),
    tried,
  ])
  const open = columns.filter(({ level }) => level !== undefined).flatMap(openLines)
  const absent = missing.map(
    ({ level, reason, remedy }) => `${level}: ${reason ?? 'not available'}. To get it: ${remedy ?? '-'}`,
  )
  return [
    table(header, rows, { width: terminalWidth() }),
    LEGEND,
    ...section('Not promised, and open:', open),
    ...section('Levels that this host does not give:', absent),
    columns
      .filter(({ level }) => level !== undefined)
      .map(summary)
      .join('\n'),
  ].join('\n\n')
}

const section = (title: string, lines: string[]) =>
  lines.length > 0 ? [[title, ...lines.map((line) => `  ${line}`)].join('\n')] : []

const openLines = (column: Column) =>
  column.cells.filter(({ verdict }) => verdict === 'open').map((cell) => lineOf(column, cell))

function lineOf(column: Column, { row, verdict, seen }: Cell): string {
  const said = verdict === 'untried' ? 'no canary could say' : seen.slice(0, 3).join('; ')
  const more = seen.length > 3 ? ` and ${seen.length - 3} more` : ''
  return `${titleOf(column)}, ${row}: ${said}${more}`
}

function summary(column: Column): string {
  const promised = column.cells.filter((cell) => cell.promised)
  const held = promised.filter(({ verdict }) => verdict === 'held')
  const says =
    held.length === promised.length ? 'gives all that it promises' : 'does NOT give what it promises'
  return `${titleOf(column)}: ${says}, ${held.length} of ${promised.length}`
}

/** The whole of it as JSON. */
export function record({ runs, columns, missing }: Verification) {
  const faults = faultsOf(columns)
  return {
    kept: faults.length === 0,
    runs,
    node: process.version,
    faults,
    missing,
    rows: ROWS.map(({ name, tried, promised }) => ({ name, tried, promised })),
    columns: columns.map(({ level, ...rest }) => ({ level: level ?? null, ...rest })),
  }
}
