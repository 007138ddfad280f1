import { AgentError, defineAgent } from 'threadbound/agent'
import * as z from 'zod'

const input = z.looseObject({
  /** Passes this gate: `ctx.call` to the agent type `other`, which the test answers when it likes. */
  gate: z.unknown().optional(),
  throws: z.enum(['plain', 'permanent']).optional(),
  catches: z.boolean().optional(),
})

/** Does as its input says; passing a gate tells the test that the attempt runs, and waits for the test. */
export default defineAgent({
  input,
  async run({ gate, throws, catches, ...rest }, ctx) {
    const passed = gate === undefined ? undefined : await pass()
    if (throws === 'plain') throw new TypeError('the order has no lines')
    if (throws === 'permanent') throw new AgentError('no-such-order', 'order 7')
    return { passed, attempt: ctx.request.attempt, tenant: ctx.request.tenant, ...rest }

    async function pass(): Promise<unknown> {
      try {
        return await ctx.span('gate', () => ctx.call('other', { gate }))
      } catch (error) {
        if (!catches) throw error
        const { name, type, message } = error as Error & { type?: string }
        return { name, type, message }
      }
    }
  },
})
