import type { Client } from 'pg'

/** The tables that this database user may read, as CREATE TABLE statements for the model. */
export async function describeTables(db: Client): Promise<string> {
  const { rows } = await db.query<{ table_name: string; columns: string }>(
    `SELECT table_name, string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) AS columns
     FROM information_schema.columns WHERE table_schema = 'public' GROUP BY table_name ORDER BY table_name`,
  )
  return rows.map((row) => `CREATE TABLE ${row.table_name} (${row.columns});`).join('\n')
}
