import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { defineAgent } from 'threadbound/agent'
import * as z from 'zod'

/** Uses a database as a user of its own, and a secret, then ends in the way that it is told. */
export default defineAgent({
  input: z.object({ end: z.enum(['return', 'throw', 'exit', 'spin', 'hold']), note: z.string().default('') }),
  async run({ end, note }, ctx) {
    const lease = await ctx.secrets.lease('orders-db')
    const db = new Client({ ...lease.credentials, stream: () => lease.connect() })
    db.on('error', () => {})
    await db.connect()
    const { rows } = await db.query('SELECT current_user AS name')
    const { length } = await ctx.secrets.get('canary')
    await ctx.span(`noted ${note}`, async () => ctx.log.info({ note, length }, 'noted'))
    if (end === 'throw') throw new Error(`as asked ${note}`)
    if (end === 'exit') process.exit(3)
    // oxlint-disable-next-line no-constant-condition
    if (end === 'spin') for (;;);
    if (end === 'hold') await delay(1000)
    return { user: rows[0].name as string }
  },
})
