import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { AuditHead } from './audit-log.ts'
import { GENESIS, hashOf, parseLine } from './chain.ts'

/** What a check of the chain found. */
export interface AuditVerdict {
  ok: boolean
  /** Good lines from the start. */
  lines: number
  /** Hash of the last good line: compare it with one noted elsewhere to see a cut tail. */
  head: string
  /** The first line, from 1, that does not fit, and why. */
  broken?: { line: number; why: string }
}

/** How far the log went when its head was noted, and where that was. */
export interface NotedElsewhere extends AuditHead {
  place: string
}

/**
 * Follows the chain from the first line. It sees a line changed, removed or added in between; that the end was cut off, or
 * everything written anew, it sees by the heads that were noted elsewhere.
 */
export async function verifyAudit(
  file: string,
  noted: readonly NotedElsewhere[] = [],
): Promise<AuditVerdict> {
  const verdict: AuditVerdict = { ok: true, lines: 0, head: GENESIS }
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const why = problemOf(line, verdict) ?? differenceOf(line, verdict.lines + 1, noted)
    if (why) return { ...verdict, ok: false, broken: { line: verdict.lines + 1, why } }
    verdict.lines++
    verdict.head = hashOf(line)
  }
  const ahead = noted.filter(({ seq }) => seq > verdict.lines)
  if (ahead.length === 0) return verdict
  const why = `it is missing: ${ahead.map(({ place, seq }) => `${place} has noted ${seq} lines`).join(', ')}`
  return { ...verdict, ok: false, broken: { line: verdict.lines + 1, why } }
}

function differenceOf(line: string, number: number, noted: readonly NotedElsewhere[]): string | undefined {
  const other = noted.find(({ seq, hash }) => seq === number && hash !== hashOf(line))
  return other && `it is not the line that ${other.place} has noted`
}

function problemOf(line: string, { lines, head }: AuditVerdict): string | undefined {
  const parsed = parseLine(line)
  if (!parsed) return 'it is no audit line'
  if (parsed.prev !== head) return 'it does not follow the line before it'
  return parsed.seq === lines + 1 ? undefined : `its number is ${parsed.seq}`
}
