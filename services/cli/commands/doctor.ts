import { probeLevels } from '#lib/context'
import { checkout } from '../checkout.ts'
import { factsOf } from '../doctor/facts.ts'
import { Host } from '../doctor/host.ts'
import { measure } from '../doctor/measure.ts'
import { diagnosisText, isReady, record } from '../doctor/report.ts'
import { quietExperiments } from '#lib/runtime'
import { jsonText } from '../terminal.ts'

/** Shows what this machine gives. Exits 1 when the default level is not among it. */
export async function doctor(flags: { json?: boolean }): Promise<void> {
  checkout()
  quietExperiments()
  const diagnosis = { levels: await probeLevels(), facts: factsOf(new Host(), measure()) }
  process.stdout.write(`${flags.json ? jsonText(record(diagnosis)) : diagnosisText(diagnosis)}\n`)
  if (!isReady(diagnosis)) process.exitCode = 1
}
