import { setTimeout as delay } from 'node:timers/promises'
import { defineAgent } from 'threadbound/agent'
import * as z from 'zod'

/** Calls its model again and again for a while, and says how often, and what went wrong. */
export default defineAgent({
  input: z.object({ forMs: z.number(), everyMs: z.number() }),
  output: z.object({ calls: z.number(), failures: z.array(z.string()) }),
  async run({ forMs, everyMs }, ctx) {
    const startedAt = performance.now()
    const failures: string[] = []
    let calls = 0
    for (; performance.now() - startedAt < forMs; calls++) {
      await ctx.model
        .generate({ prompt: `call ${calls}` })
        .catch((error: { type?: string; message: string }) => failures.push(error.type ?? error.message))
      await delay(Math.max(0, startedAt + (calls + 1) * everyMs - performance.now()))
    }
    return { calls, failures }
  },
})
