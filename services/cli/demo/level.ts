import type { LevelReport } from '#lib/context'
import { CommandError } from '../errors.ts'

/** The levels that the demo takes, the strongest first. `thread` is for trusted code, and the demo shows walls. */
const ACCEPTED = ['namespace', 'process']

/** The strongest level that this host gives. @throws CommandError saying what to install when there is none */
export function strongestLevel(reports: LevelReport[]): string {
  const found = ACCEPTED.find((level) => reports.some((report) => report.level === level && report.available))
  if (found) return found
  const lines = reports
    .filter(({ level }) => ACCEPTED.includes(level))
    .map(({ level, reason, remedy }) => `  ${level}: ${reason ?? 'not available'}. Do: ${remedy ?? '-'}`)
  throw new CommandError(['this host gives no level that walls a context off:', ...lines].join('\n'))
}
