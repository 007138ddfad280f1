import { jsonText, printableLines } from '../terminal.ts'

/** Prints what a command has to say: lines for people, or the record. */
export function show({ json }: { json?: boolean }, record: object, lines: string[]): void {
  process.stdout.write(json ? `${jsonText(record)}\n` : `${printableLines(lines.join('\n'))}\n`)
}
