import { defineAgent } from 'threadbound/agent'
import * as z from 'zod'

export default defineAgent({
  input: z.object({ fault: z.string() }),
  async run({ fault }, ctx) {
    return (await ctx.model.generate({ prompt: `[[stand-in:${fault}]] hello` })).text
  },
})
