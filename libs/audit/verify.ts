import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
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

/**
 * Follows the chain from the first line. It sees a line changed, removed or added in between; it cannot see that the
 * tail was cut or that everything was rewritten: that needs a `head` kept in a second place.
 */
export async function verifyAudit(file: string): Promise<AuditVerdict> {
  const verdict: AuditVerdict = { ok: true, lines: 0, head: GENESIS }
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const why = problemOf(line, verdict)
    if (why) return { ...verdict, ok: false, broken: { line: verdict.lines + 1, why } }
    verdict.lines++
    verdict.head = hashOf(line)
  }
  return verdict
}

function problemOf(line: string, { lines, head }: AuditVerdict): string | undefined {
  const parsed = parseLine(line)
  if (!parsed) return 'it is no audit line'
  if (parsed.prev !== head) return 'it does not follow the line before it'
  return parsed.seq === lines + 1 ? undefined : `its number is ${parsed.seq}`
}
