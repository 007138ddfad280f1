import type { Target } from '../target.ts'
import type { ScriptLine } from './script.ts'
import type { Played } from './verdict.ts'

const AT_ONCE = 6
const REQUEST_TIMEOUT_MS = 120_000

/** What happens as requests end. */
export interface PlayEvents {
  onEnd: (played: Played, done: number) => void
  /** A line, by its place, is sent once this has resolved. */
  mayBegin: (at: number) => Promise<unknown>
}

/** Sends every line, a few at once, and waits for all ends. The results are in the order of the lines. */
export async function play(
  target: Target,
  script: ScriptLine[],
  { onEnd, mayBegin }: PlayEvents,
): Promise<Played[]> {
  const results: Played[] = []
  const queue = script.entries()
  let done = 0
  const lane = async () => {
    for (const [at, line] of queue) {
      await mayBegin(at)
      const played = await playLine(target, line)
      results[at] = played
      onEnd(played, (done += 1))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return results
}

async function playLine({ producer }: Target, line: ScriptLine): Promise<Played> {
  const { id } = await producer.enqueue(line.agent, line.input)
  return { line, keys: [], view: await producer.wait(id, { timeoutMs: REQUEST_TIMEOUT_MS }) }
}
