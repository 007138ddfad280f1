import { defineAgent } from 'threadbound/agent'
import * as z from 'zod'

const READS = 400
const LANES = 4
const CALLS = 100

/** Measures from inside a context what an agent waits for: its secrets, and calls through the broker. Times are ms. */
export default defineAgent({
  input: z.object({ url: z.string() }),
  async run({ url }, ctx) {
    const [cold] = await times(1, () => ctx.secrets.get('plain'))
    const warm = await times(READS, () => ctx.secrets.get('plain'))
    const begin = performance.now()
    const lane = () => times(READS / LANES, () => ctx.secrets.get('plain'))
    await Promise.all(Array.from({ length: LANES }, lane))
    const perSecond = (READS * 1000) / (performance.now() - begin)
    const call = (path: string) => async () => (await ctx.fetch(`${url}${path}`)).text()
    await call('/now')()
    const brokered = await times(CALLS, call('/now'))
    const slow = await times(CALLS, call('/slow'))
    return { cold: cold!, warm, perSecond, brokered, slow }
  },
})

async function times(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const all: number[] = []
  for (let at = 0; at < count; at++) {
    const begin = performance.now()
    await work()
    all.push(performance.now() - begin)
  }
  return all
}
