import { setTimeout as delay } from 'node:timers/promises'
import { defineAgent } from 'threadbound/agent'
import * as z from 'zod'

/** Reads its secret, says so, and keeps running for as long as it is asked to. */
export default defineAgent({
  input: z.object({ holdMs: z.number() }),
  async run({ holdMs }, ctx) {
    await ctx.secrets.get('mail-key')
    ctx.emit('holding')
    await delay(holdMs)
    return await ctx.secrets.get('mail-key').then(
      () => 'still given',
      (error: { type?: string }) => error.type,
    )
  },
})
