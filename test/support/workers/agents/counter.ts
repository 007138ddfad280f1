import { defineAgent } from 'threadbound/agent'

/** A singleton that counts its requests; `gate` holds it as in gated.ts. */
export default defineAgent({
  async run(input: { gate?: unknown }, ctx) {
    if (input.gate !== undefined) await ctx.call('other', { gate: input.gate })
    const count = ((ctx.memory as { count: number } | undefined)?.count ?? 0) + 1
    ctx.memory = { count }
    return count
  },
})
