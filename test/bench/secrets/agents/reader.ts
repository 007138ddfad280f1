import { defineAgent } from 'threadbound/agent'
import * as z from 'zod'

/** Reads three static secrets, and leases a database user if it is told to. */
export default defineAgent({
  input: z.object({ lease: z.boolean() }),
  async run({ lease }, ctx) {
    for (const name of ['plain', 'second', 'third']) await ctx.secrets.get(name)
    if (lease) await ctx.secrets.lease('orders-db')
  },
})
