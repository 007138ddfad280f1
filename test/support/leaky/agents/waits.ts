import { setTimeout as delay } from 'node:timers/promises'
import { defineAgent } from 'threadbound/agent'

/** Tells its secret when its sidecar has been gone for a while. */
export default defineAgent({
  async run(_input, ctx) {
    const value = await ctx.secrets.get('plain')
    ctx.log.info({}, 'holds it')
    await delay(1500)
    ctx.log.info({}, `late ${value}`)
    return { value }
  },
})
