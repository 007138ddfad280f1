import type { SqlConnection, SqlExecutor } from '#lib/dev-vault'

/** Records the SQL, and fails while it is told to. */
export class RecordedSql implements SqlExecutor {
  readonly ran: string[] = []
  failing = false
  async run(_connection: SqlConnection, statements: string[]): Promise<void> {
    if (this.failing) throw new Error('connection refused')
    this.ran.push(...statements)
  }
  async forget(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}
