import { probeLevels } from '#lib/context'
import { checkout } from '../checkout.ts'
import { DemoCluster } from '../demo/cluster.ts'
import { strongestLevel } from '../demo/level.ts'
import { play } from '../demo/play.ts'
import { answersText, NEXT_STEPS, progressLine, requestTable, traceText } from '../demo/report.ts'
import { keysUsed, rotateKey, type Rotated } from '../demo/rotation.ts'
import { readScript, type ScriptLine } from '../demo/script.ts'
import { faults, type Played, record, rotationFaults } from '../demo/verdict.ts'
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
  const { played, rotated } = await cluster.whileRunning(playAndRotate(target, script, cluster.data))
  if (flags.json) for (const one of played) process.stdout.write(`${jsonText(record(one))}\n`)
  else tell(await cluster.whileRunning(reportText(target, played)))
  const wrong = [...faults(played, level), ...rotationFaults(played, rotated)]
  if (wrong.length > 0) throw new CommandError([...wrong, `The logs are in ${cluster.data}/logs.`].join('\n'))
  cluster.succeeded()
  tell(
    `\nAll ${played.length} requests went as expected, each in a context of its own, while a key was rotated.`,
  )
}

/** When half of the requests have ended, a key is rotated while the others run; the last third waits for the new one. */
async function playAndRotate(target: Target, script: ScriptLine[], data: string) {
  const rotated = Promise.withResolvers<Rotated>()
  rotated.promise.catch(() => {}) // whoever waits for it, now or at the end, says it
  const rotate = async () => {
    const done = await rotateKey(data)
    say(`demo: ${done.secret} was rotated: generation ${done.generation} is live`)
    return done
  }
  const onEnd = (one: Played, done: number) => {
    say(progressLine(one, done, script.length))
    if (done === Math.floor(script.length / 2)) rotate().then(rotated.resolve, rotated.reject)
  }
  const mayBegin = async (at: number) => at >= (script.length * 2) / 3 && rotated.promise
  const played = await play(target, script, { onEnd, mayBegin })
  const keys = await keysUsed(data)
  const withKeys = played.map((one) => ({ ...one, keys: keys.get(one.view.id) ?? [] }))
  return { played: withKeys, rotated: await rotated.promise }
}

async function reportText(target: Target, played: Played[]): Promise<string> {
  const shown = played.find(({ line }) => line.agent === 'coordinator') ?? played[0]!
  const tree = await settledTrace(target, shown.view.traceId ?? '')
  const parts = [requestTable(played), answersText(played), traceText(shown, tree), NEXT_STEPS]
  return `\n${parts.join('\n\n')}`
}

const say = (text: string) => void process.stderr.write(`${text}\n`)
