import { readFileSync } from 'node:fs'
import { Client } from 'pg'
import { Credentials } from '../../services/dev/up/credentials.ts'
import { makeDirectories } from '../../services/dev/up/directories.ts'
import { sharedOwnership } from '../../services/dev/up/ownership.ts'
import { preparePostgres } from '../../services/dev/up/postgres.ts'
import { Supervisor } from '../../services/dev/supervision/index.ts'
import { temporaryDirectory } from './directory.ts'

/** A real Postgres for one test file, as `threadbound up` starts it. */
export interface TestPostgres extends AsyncDisposable {
  socketDirectory: string
  user: string
  passwordFile: string
  password: string
  /** A connected client of the superuser, or of another user. */
  client(as?: { user: string; password: string; database?: string }): Promise<Client>
}

/** Starts a Postgres on a unix socket in a temporary directory. */
export async function startPostgres(): Promise<TestPostgres> {
  const directory = temporaryDirectory()
  const directories = makeDirectories(directory.path)
  const supervisor = Supervisor.open({
    logDir: `${directories.data}/logs`,
    runtimeDir: directories.runtime,
    say: () => {},
  })
  const credentials = new Credentials(directories.data)
  const server = await preparePostgres({ directories, credentials, ownership: sharedOwnership })
  await supervisor.start(server.spec)
  const password = readFileSync(server.superuser.passwordFile, 'utf8')
  return {
    socketDirectory: server.socketDirectory,
    ...server.superuser,
    password,
    async client(as = { user: server.superuser.user, password }) {
      const client = new Client({ host: server.socketDirectory, database: 'postgres', ...as })
      await client.connect()
      return client
    },
    async [Symbol.asyncDispose]() {
      await supervisor[Symbol.asyncDispose]()
      directory[Symbol.dispose]()
    },
  }
}
