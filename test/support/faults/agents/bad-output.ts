import { defineAgent } from 'threadbound/agent'
import * as z from 'zod'

export default defineAgent({
  output: z.object({ total: z.number() }),
  run: () => ({ total: 'twelve' }) as never,
})
