import { CommandError } from '../errors.ts'
import { awaitRequest, enqueue } from '../producer.ts'
import type { Target } from '../target.ts'
import type { ScriptLine } from './script.ts'
import type { Played } from './verdict.ts'

const AT_ONCE = 6
const REQUEST_TIMEOUT_MS = 120_000

/** Sends every line, a few at once, and waits for all ends. The results are in the order of the lines. */
export async function play(
  target: Target,
  script: ScriptLine[],
  onEnd: (played: Played, done: number) => void,
): Promise<Played[]> {
  const results: Played[] = []
  const queue = script.entries()
  let done = 0
  const lane = async () => {
    for (const [at, line] of queue) {
      const played = await playLine(target, line)
      results[at] = played
      onEnd(played, (done += 1))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return results
}

async function playLine(target: Target, line: ScriptLine): Promise<Played> {
  const { id } = await enqueue(target, line.agent, line.input)
  const view = await awaitRequest(target, id, REQUEST_TIMEOUT_MS)
  if (view.state !== 'ended')
    throw new CommandError(`${id} has not ended after ${REQUEST_TIMEOUT_MS / 1000} s`)
  return { line, view }
}
