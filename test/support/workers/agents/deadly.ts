import { defineAgent } from 'threadbound/agent'

/** Takes down the process that it runs in, beside whoever waits at a gate. */
export default defineAgent({
  async run(input: { gate?: unknown; kills?: boolean }, ctx) {
    if (input.kills) process.kill(process.pid, 'SIGKILL')
    return await ctx.call('other', { gate: input.gate })
  },
})
