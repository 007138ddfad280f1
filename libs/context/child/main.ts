import type { FromThread, ThreadSeed, ToContext } from '#lib/wire'
import { Agent, type LoadedAgent } from './agent.ts'
import { runAttempt, type RunningAttempt } from './attempt.ts'
import { makeConsoleBlocking } from './blocking-console.ts'
import { connectDoors, type Doors, inheritedDoors } from './doors.ts'
import { Port, wireError } from './port.ts'
import { setApart } from './thread-apart.ts'
import { sendConsole } from './thread-console.ts'
import { warmBroker } from './warm.ts'

/** What runs first in every context: it says hello, loads an agent's code and runs one attempt with it. */

/**
 * A spare that has been idle for so long gets ready for the broker. One that an attempt is waiting for does not: on a busy
 * host that work, a third of a whole start, would only delay the attempts.
 */
const WARM_AFTER_MS = 300
let agent: LoadedAgent | undefined
let attempt: RunningAttempt | undefined
let warm: NodeJS.Timeout | undefined

const { isMainThread, parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
const doors = isMainThread ? enterProcess() : enterThread(workerData as ThreadSeed)
const port = new Port(doors.channel, take)
process.on('uncaughtException', fail)
port.send({ t: 'hello' })

function enterProcess(): Doors {
  // Bubblewrap sets it; the environment of a context is empty.
  delete process.env['PWD']
  makeConsoleBlocking()
  return inheritedDoors()
}

function enterThread(seed: ThreadSeed): Doors {
  sendConsole(tell, new Int32Array(seed.taken))
  setApart()
  return connectDoors(seed, tell)
}

/** To the host. */
function tell(message: FromThread): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has no origin
  parentPort!.postMessage(message)
}

function take(message: ToContext, bytes: Buffer[]): void {
  clearTimeout(warm)
  if (message.t === 'load') load(message.filename, bytes)
  else if (message.t === 'describe') describe()
  else if (message.t === 'run') attempt = runAttempt(agent!, message, { port, doors })
  else if (message.t === 'abort') attempt?.abort(message.reason)
  else attempt?.reply(message)
}

function load(filename: string, [code, cache]: Buffer[]): void {
  try {
    agent = Agent.load({ code: code!.toString(), filename, cache })
    port.send({ t: 'loaded' })
    if (!isMainThread) tell({ t: 'loaded' })
    if (doors.hasBroker) warm = setTimeout(warmBroker, WARM_AFTER_MS)
  } catch (error) {
    port.send({ t: 'load-failed', error: wireError(error) })
  }
}

function describe(): void {
  try {
    for (const part of agent!.codeCache()) port.send({ t: 'code-cache', part })
    port.send({ t: 'described', input: agent!.schema('input'), output: agent!.schema('output') })
  } catch (error) {
    port.send({ t: 'failed', error: { ...wireError(error), type: 'invalid-schema' } })
  }
}

function fail(error: unknown): void {
  if (attempt) attempt.fail(error)
  else
    port.send(
      agent ? { t: 'failed', error: wireError(error) } : { t: 'load-failed', error: wireError(error) },
    )
}
