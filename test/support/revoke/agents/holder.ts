import { setTimeout as delay } from 'node:timers/promises'
import { defineAgent } from 'threadbound/agent'
import * as z from 'zod'

/** Reads its secret again and again for as long as it is asked to; says why when it is given it no more. */
export default defineAgent({
  input: z.object({ holdMs: z.number() }),
  async run({ holdMs }, ctx) {
    const startedAt = performance.now()
    await ctx.secrets.get('mail-key')
    while (performance.now() - startedAt < holdMs) {
      await delay(500)
      const refused = await ctx.secrets.get('mail-key').then(
        () => undefined,
        (error: { type?: string }) => error.type ?? 'failed',
      )
      if (refused !== undefined) return refused
    }
    return 'still given'
  },
})
