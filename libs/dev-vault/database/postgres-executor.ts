import { Pool, type PoolClient } from 'pg'
import type { SqlConnection, SqlExecutor } from './sql-executor.ts'

const CONNECT_TIMEOUT_MS = 5000
const STATEMENT_TIMEOUT_MS = 20_000
const IDLE_MS = 10_000

/** Runs SQL on real Postgres servers over `pg`, with one kept connection for each. */
export class PostgresExecutor implements SqlExecutor {
  readonly #pools = new Map<string, Pool>()

  async run(connection: SqlConnection, statements: string[], options: { atomic: boolean }): Promise<void> {
    const client = await this.#pool(connection)
      .connect()
      .catch((error: unknown) => {
        throw withoutSecrets(error, connection)
      })
    try {
      await runAll(client, statements, options.atomic)
      client.release()
    } catch (error) {
      client.release(true)
      throw withoutSecrets(error, connection)
    }
  }

  async forget(connection: SqlConnection): Promise<void> {
    const key = keyOf(connection)
    const pool = this.#pools.get(key)
    this.#pools.delete(key)
    await pool?.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [...this.#pools.values()]
    this.#pools.clear()
    await Promise.all(pools.map((pool) => pool.end()))
  }

  /** A pool of one: statements queue up instead of racing for the same catalogue rows. */
  #pool(connection: SqlConnection): Pool {
    const known = this.#pools.get(keyOf(connection))
    if (known) return known
    const pool = new Pool({
      connectionString: withCredentials(connection),
      application_name: 'dev-vault',
      max: 1,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS + STATEMENT_TIMEOUT_MS,
      idleTimeoutMillis: IDLE_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
    })
    pool.on('error', () => {})
    // The pool listens to idle clients alone; one that is cut at work tells its statement as well.
    pool.on('connect', (client) => client.on('error', () => {}))
    this.#pools.set(keyOf(connection), pool)
    return pool
  }
}

async function runAll(client: PoolClient, statements: string[], atomic: boolean): Promise<void> {
  if (atomic) await client.query('BEGIN')
  for (const statement of statements) await client.query(statement)
  if (atomic) await client.query('COMMIT')
}

/** Fills in user and password, percent-encoded as Vault does. */
function withCredentials({ url, user, password }: SqlConnection): string {
  return url
    .replaceAll(/\{\{\s*username\s*\}\}/g, () => encodeURIComponent(user))
    .replaceAll(/\{\{\s*password\s*\}\}/g, () => encodeURIComponent(password))
}

const keyOf = ({ url, user, password }: SqlConnection) => JSON.stringify([url, user, password])

/** Postgres quotes statements, and so new passwords, in `where` and `internalQuery`: the message and code alone go on. */
function withoutSecrets(error: unknown, { password }: SqlConnection): Error {
  const { message, code } = error as { message?: string; code?: string }
  const text = String(message).replaceAll(password || /(?!)/g, '[password]')
  return new Error(code === undefined ? text : `${text} (${code})`)
}
