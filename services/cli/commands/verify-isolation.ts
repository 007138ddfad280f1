import { probeLevels } from '#lib/context'
import type { Level } from '#lib/wire'
import { checkout } from '../checkout.ts'
import { CommandError, UsageError } from '../errors.ts'
import { quietExperiments } from '#lib/runtime'
import { jsonText } from '../terminal.ts'
import { faultsOf, matrixText, record } from '../verify/report.ts'
import { openStage } from '../verify/stage.ts'
import { columnsOf, verify } from '../verify/verify.ts'

/** The options of `verify-isolation`, as typed. */
export interface VerifyFlags {
  level?: Level
  runs: string
  json?: boolean
}

const MOST_RUNS = 50

/** Lets canaries loose at every level that this host gives, and fails unless each gives what it promises. */
export async function verifyIsolation(flags: VerifyFlags): Promise<void> {
  checkout()
  const runs = Number(flags.runs)
  if (!Number.isSafeInteger(runs) || runs < 2 || runs > MOST_RUNS)
    throw new UsageError(`--runs: expected a number from 2 to ${MOST_RUNS}, found "${flags.runs}"`)
  quietExperiments()
  const reports = await probeLevels()
  const keys = columnsOf(levelsOf(reports, flags.level))
  const missing = flags.level ? [] : reports.filter(({ available }) => !available)
  const columns = await verify({ columns: keys, runs, openStage, signal: untilInterrupted(), tell: say })
  const found = { runs, columns, missing }
  process.stdout.write(`${flags.json ? jsonText(record(found)) : matrixText(found)}\n`)
  const faults = faultsOf(columns)
  if (faults.length > 0) throw new CommandError(faults.join('\n'))
}

function levelsOf(reports: Awaited<ReturnType<typeof probeLevels>>, only: Level | undefined): Level[] {
  const asked = reports.filter(({ level }) => only === undefined || level === only)
  const available = asked.filter((report) => report.available).map(({ level }) => level)
  if (available.length > 0) return available
  const why = asked.map(
    ({ level, reason, remedy }) => `${level}: ${reason ?? 'not available'}. To get it: ${remedy ?? '-'}`,
  )
  throw new CommandError(['this host does not give what is to be verified:', ...why].join('\n'))
}

/** Ctrl-C ends the canaries, not the clearing up behind them. */
function untilInterrupted(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new CommandError('interrupted', { exitCode: 130 })))
  return stop.signal
}

const say = (text: string) => void process.stderr.write(`verify-isolation: ${text}\n`)
