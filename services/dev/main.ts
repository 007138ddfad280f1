import { messageOf, untilSignal } from '#lib/runtime'
import { openCluster } from './up/open-cluster.ts'
import { readUpOptions, UpOptionsError } from './up/options.ts'
import { readyText } from './up/ready-text.ts'

process.umask(0o077)
const say = (line: string) => void process.stderr.write(`up: ${line}\n`)
const stop = new AbortController()
const signalled = untilSignal().then((signal) => {
  say(`${signal}: stopping, once more to end at once`)
  stop.abort()
})

try {
  const options = readUpOptions(process.argv.slice(2))
  await using cluster = await openCluster(options, say, stop.signal)
  process.stdout.write(readyText(cluster.state, options.json))
  await signalled
} catch (error) {
  if (!stop.signal.aborted) say(error instanceof Error ? error.message : messageOf(error))
  process.exitCode = stop.signal.aborted ? 0 : error instanceof UpOptionsError ? 2 : 1
}
process.exit()
