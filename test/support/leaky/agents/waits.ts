import { setTimeout as delay } from 'node:timers/promises'
import { defineAgent } from 'threadbound/agent'

const isGiven = () => true
const isRefused = () => false

/** Tells its secret when its sidecar is gone. */
export default defineAgent({
  async run(_input, ctx) {
    const value = await ctx.secrets.get('plain')
    ctx.log.info({}, 'holds it')
    while (await ctx.secrets.get('plain').then(isGiven, isRefused)) await delay(50)
    ctx.log.info({}, `late ${value}`)
    return { value }
  },
})
