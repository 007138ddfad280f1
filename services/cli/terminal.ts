import { printable } from '#lib/traces'

type Cell = string | number | null | undefined

/** How a table is drawn. */
export interface TableOptions {
  /** Columns whose figures stand on the right. */
  figures?: string[]
  /** Columns of the terminal: the widest cells are cut until a row fits. Default: no limit. */
  width?: number | undefined
}

const GAP = '  '
const NARROWEST = 6

/** Rows as aligned columns. Cells may come from an agent: controls become visible. */
export function table(header: string[], rows: Cell[][], { figures = [], width }: TableOptions = {}): string {
  const cells = [header, ...rows.map((row) => row.map((cell) => printable(String(cell ?? '-'))))]
  const needed = header.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  const widths = fit(needed, width)
  const line = (row: string[]) =>
    row
      .map((cell, at) => {
        const text = short(cell, widths[at]!)
        return figures.includes(header[at]!) ? text.padStart(widths[at]!) : text.padEnd(widths[at]!)
      })
      .join(GAP)
      .trimEnd()
  return cells.map(line).join('\n')
}

/** The names and values of one thing, a line each; what is undefined is left out. */
export function facts(rows: [name: string, value: Cell][]): string {
  const known = rows.filter(([, value]) => value !== undefined)
  const width = Math.max(...known.map(([name]) => name.length))
  return known.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}`).join('\n')
}

/** The columns of the terminal behind stdout; undefined where it is a file or a pipe. */
export const terminalWidth = () => (process.stdout.isTTY ? process.stdout.columns : undefined)

/** Colours only for a terminal, and not where `NO_COLOR` (no-color.org) is set. */
export const isColorful = () => process.stdout.isTTY && !process.env['NO_COLOR']

/** Takes from the widest column, one at a time, until all fit. */
function fit(needed: number[], limit = Infinity): number[] {
  const widths = [...needed]
  const total = () => widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1))
  while (total() > limit) {
    const widest = Math.max(...widths)
    if (widest <= NARROWEST) break
    widths[widths.indexOf(widest)] = widest - 1
  }
  return widths
}

/** JSON that is safe on a terminal: what `JSON.stringify` lets through of controls and formats is escaped, so it stays JSON. */
export function jsonText(value: unknown, indent?: number): string {
  return (JSON.stringify(value, undefined, indent) ?? 'null').replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => (character === '\n' ? '\n' : escaped(character)),
  )
}

/** Text of several lines, each made printable. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

const short = (text: string, widest: number) =>
  text.length > widest ? `${text.slice(0, widest - 1)}…` : text
const escaped = (character: string) =>
  Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('')
