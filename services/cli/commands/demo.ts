import { probeLevels } from '#lib/context'
import { checkout } from '../checkout.ts'
import { DemoCluster } from '../demo/cluster.ts'
import { strongestLevel } from '../demo/level.ts'
import { play } from '../demo/play.ts'
import { answersText, NEXT_STEPS, progressLine, requestTable, traceText } from '../demo/report.ts'
import { readScript } from '../demo/script.ts'
import { faults, type Played, record } from '../demo/verdict.ts'
import { CommandError } from '../errors.ts'
import { findTarget, type Target } from '../target.ts'
import { jsonText } from '../terminal.ts'
import { settledTrace } from '../traces.ts'

/** Runs the demo's requests through a cluster of their own, and fails unless every one went as its line says. */
export async function demo(flags: { json?: boolean }): Promise<void> {
  const files = checkout().demo
  const script = readScript(files.requests)
  const level = strongestLevel(await probeLevels())
  const tell = (text: string) => void (flags.json ? process.stderr : process.stdout).write(`${text}\n`)
  tell(`Every context of this demo runs at level ${level}, the strongest that this host gives.`)
  await using cluster = DemoCluster.spawn({ cluster: files.cluster, isolation: level })
  await cluster.ready()
  const target = findTarget({ data: cluster.data })
  say(`demo: sending ${script.length} requests`)
  const progress = (one: Played, done: number) => say(progressLine(one, done, script.length))
  const played = await cluster.whileRunning(play(target, script, progress))
  if (flags.json) for (const one of played) process.stdout.write(`${jsonText(record(one))}\n`)
  else tell(await cluster.whileRunning(reportText(target, played)))
  const wrong = faults(played, level)
  if (wrong.length > 0) throw new CommandError([...wrong, `The logs are in ${cluster.data}/logs.`].join('\n'))
  cluster.succeeded()
  tell(`\nAll ${played.length} requests went as expected, each in a context of its own.`)
}

async function reportText(target: Target, played: Played[]): Promise<string> {
  const shown = played.find(({ line }) => line.agent === 'coordinator') ?? played[0]!
  const tree = await settledTrace(target, shown.view.traceId ?? '')
  const parts = [requestTable(played), answersText(played), traceText(shown, tree), NEXT_STEPS]
  return `\n${parts.join('\n\n')}`
}

const say = (text: string) => void process.stderr.write(`${text}\n`)
