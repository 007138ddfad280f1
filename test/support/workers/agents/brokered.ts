import { defineAgent } from 'threadbound/agent'

/** Asks the broker for a secret, to see whether it is there. */
export default defineAgent({
  async run(_input: unknown, ctx) {
    return await ctx.secrets.get('some-key')
  },
})
