import { Client } from 'pg'
import { AgentError, defineAgent } from 'threadbound/agent'
import * as z from 'zod'
import { describeTables } from './schema.ts'

const SYSTEM = 'Translate the question to one PostgreSQL SELECT statement. Answer with the SQL alone.'

/** Question to SQL to rows, as a database user that exists for this attempt only. */
export default defineAgent({
  input: z.object({ question: z.string().min(3).max(2000) }),
  output: z.object({ answer: z.string(), sql: z.string(), rows: z.number() }),
  async run({ question }, ctx) {
    const lease = await ctx.secrets.lease('orders-db')
    const db = new Client({ ...lease.credentials, stream: () => lease.connect() })
    await db.connect()
    try {
      const tables = await ctx.span('read schema', () => describeTables(db))
      const sql = await ctx.model.generate({ system: `${SYSTEM}\n\n${tables}`, prompt: question })
      const rows = await ctx.span('run query', () => runReadOnly(db, sql.text))
      ctx.log.info({ rows: rows.length }, 'answered')
      return { answer: JSON.stringify(rows.slice(0, 20)), sql: sql.text, rows: rows.length }
    } finally {
      await db.end()
    }
  },
})

async function runReadOnly(db: Client, sql: string): Promise<unknown[]> {
  if (!/^\s*select\b/i.test(sql))
    throw new AgentError('not-answerable', `the model gave no query but: ${sql.slice(0, 200)}`)
  await db.query('BEGIN READ ONLY')
  const { rows } = await db.query(sql)
  await db.query('COMMIT')
  return rows
}
