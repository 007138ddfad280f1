import { setTimeout as delay } from 'node:timers/promises'
import { defineAgent } from 'threadbound/agent'

/** Tells its secret again and again until its time is over. */
export default defineAgent({
  async run(_input, ctx) {
    const value = await ctx.secrets.get('plain')
    ctx.log.info({}, 'holds it')
    for (;;) {
      ctx.log.info({}, `still ${value}`)
      console.log(value)
      await delay(100)
    }
  },
})
