import { createHash } from 'node:crypto'

/** What the first line of a log points back to. */
export const GENESIS = '0'.repeat(64)

/** One line of the log, as parsed. `prev` is the hash of the line before it. */
export interface ChainedLine {
  seq: number
  time: string
  prev: string
}

/** SHA-256 of a line's text, without its newline: what the next line carries as `prev`. */
export function hashOf(line: string): string {
  return createHash('sha256').update(line).digest('hex')
}

/**
 * The text of a line. The chain's own fields come last, so that no event field can take their place. JSON leaves
 * U+2028 and U+2029 as they are, and line readers break lines there, so they are escaped.
 */
export function formatLine(fields: object, chain: ChainedLine): string {
  const text = JSON.stringify({ ...fields, ...chain })
  return text.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}

/** Reads a line's own place in the chain; undefined when it is no line of ours. */
export function parseLine(line: string): ChainedLine | undefined {
  try {
    const { seq, time, prev } = JSON.parse(line) as Record<string, unknown>
    if (!Number.isSafeInteger(seq) || typeof time !== 'string' || typeof prev !== 'string') return undefined
    return { seq: seq as number, time, prev }
  } catch {
    return undefined
  }
}
