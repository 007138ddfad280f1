import { printable } from '#lib/traces'

type Cell = string | number | null | undefined

/** Rows as aligned columns. Cells may come from an agent: controls become visible, long ones are cut. */
export function table(header: string[], rows: Cell[][], widest = 44): string {
  const cells = [
    header,
    ...rows.map((row) => row.map((cell) => short(printable(String(cell ?? '-')), widest))),
  ]
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
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
