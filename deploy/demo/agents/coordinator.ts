import { defineAgent } from 'threadbound/agent'
import * as z from 'zod'

const Reply = z.object({ answer: z.string() })

/** Asks the database and the support agent at the same time and merges their answers. */
export default defineAgent({
  input: z.object({ message: z.string().min(3).max(2000), question: z.string().max(2000) }),
  output: z.object({ answer: z.string(), data: z.string(), served: z.number() }),
  async run({ message, question }, ctx) {
    const [support, data] = await Promise.all([
      ctx.call('request-handler', { message }),
      ctx.call('database-agent', { question }),
    ])
    ctx.progress({ answered: 2 })
    const facts = Reply.parse(data).answer
    const merged = await ctx.model.generate({
      system: 'Merge the reply and the records into one reply to the customer.',
      prompt: `Reply: ${Reply.parse(support).answer}\n\nOur records for "${question}": ${facts}`,
    })
    const served = (z.object({ served: z.number() }).safeParse(ctx.memory).data?.served ?? 0) + 1
    ctx.memory = { served }
    return { answer: merged.text, data: facts, served }
  },
})
