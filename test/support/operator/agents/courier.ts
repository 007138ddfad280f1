import { createHash } from 'node:crypto'
import { defineAgent } from 'threadbound/agent'

/** Says which key it was handed, so that only who knows the key understands. */
export default defineAgent({
  async run(_input: unknown, ctx) {
    return createHash('sha256')
      .update(await ctx.secrets.get('mail-key'))
      .digest('hex')
  },
})
