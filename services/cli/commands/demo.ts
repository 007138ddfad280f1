import { probeLevels } from '#lib/context'
import { checkout } from '../checkout.ts'
import { DemoCluster } from '../demo/cluster.ts'
import { strongestLevel } from '../demo/level.ts'
import { play } from '../demo/play.ts'
import { NEXT_STEPS, requestTable, traceText } from '../demo/report.ts'
import { readScript } from '../demo/script.ts'
import { faults, type Played, record } from '../demo/verdict.ts'
import { CommandError } from '../errors.ts'
import { findTarget } from '../target.ts'
import { jsonText, printableLines } from '../terminal.ts'
import { settledTrace } from '../traces.ts'

/** Runs the demo's requests through a cluster of their own, and fails unless every one went as its line says. */
export async function demo(flags: { json?: boolean }): Promise<void> {
  const files = checkout().demo
  const script = readScript(files.requests)
  const level = strongestLevel(await probeLevels())
  const tell = (text: string) => void (flags.json ? process.stderr : process.stdout).write(`${text}\n`)
  tell(`Every context of this demo runs at level ${level}, the strongest that this host gives.`)
  await using cluster = await DemoCluster.open({ cluster: files.cluster, isolation: level })
  cluster.keep = true
  const target = findTarget({ data: cluster.data })
  const played = await play(target, script, (one, done) => progress(one, `${done}/${script.length}`))
  if (flags.json) for (const one of played) process.stdout.write(`${jsonText(record(one))}\n`)
  else {
    const shown = played.find(({ line }) => line.agent === 'coordinator') ?? played[0]!
    const tree = await settledTrace(target, shown.view.traceId ?? '')
    tell(['', requestTable(played), '', traceText(shown, tree, colorful()), '', NEXT_STEPS].join('\n'))
  }
  const wrong = faults(played, level)
  if (wrong.length > 0) throw new CommandError([...wrong, `The logs are in ${cluster.data}/logs.`].join('\n'))
  cluster.keep = false
  tell(`\nAll ${played.length} requests went as expected, each in a context of its own.`)
}

function progress({ view }: Played, place: string): void {
  process.stderr.write(`${printableLines(`demo: ${place} ${view.id} ${view.outcome ?? view.state}`)}\n`)
}

const colorful = () => process.stdout.isTTY && !process.env['NO_COLOR']
