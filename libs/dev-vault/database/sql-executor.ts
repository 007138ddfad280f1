/** Where and as whom statements run. The URL holds no credential. */
export interface SqlConnection {
  url: string
  user: string
  password: string
}

/**
 * Runs SQL for the database engine. Calls for one connection run one after the other, since Postgres refuses
 * concurrent changes of the same grants ("tuple concurrently updated").
 */
export interface SqlExecutor extends AsyncDisposable {
  /** Runs the statements in order, all or none when `atomic`. Rejects with an error that holds no password. */
  run(connection: SqlConnection, statements: string[], options: { atomic: boolean }): Promise<void>
  /** Ends what it holds open for a connection that is no longer used. */
  forget(connection: SqlConnection): Promise<void>
}

/** Runs nothing: the plugin `fake`, with which leases can be tried without a database. */
export const noSql: SqlExecutor = {
  run: async () => {},
  forget: async () => {},
  [Symbol.asyncDispose]: async () => {},
}
