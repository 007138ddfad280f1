import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, escapeIdentifier, escapeLiteral } from 'pg'
import { messageOf, PermanentError } from '#lib/runtime'
import type { PostgresServer } from './postgres.ts'
import type { StandInDatabase } from './stand-ins.ts'

/** A sample file could not be loaded. */
export class SeedError extends PermanentError {
  override readonly name = 'SeedError'
  constructor(file: string, cause: unknown) {
    super(`${file} could not be loaded: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Makes the databases of the stand-in Postgres: each with an admin user who owns it and may make users, and with the
 * contents of `seed/<database>.sql` beside the cluster file. A database that is there is left as it is.
 */
export async function seedDatabases(
  server: PostgresServer,
  databases: StandInDatabase[],
  clusterRoot: string,
): Promise<void> {
  await using superuser = await connect(server, { ...server.superuser, database: 'postgres' })
  for (const database of databases) {
    await ensureAdmin(superuser.client, database)
    const { rowCount } = await superuser.client.query('select 1 from pg_database where datname = $1', [
      database.database,
    ])
    if (rowCount === 0) await createDatabase(superuser.client, server, { ...database, clusterRoot })
    const grant = `grant all on database ${escapeIdentifier(database.database)} to ${escapeIdentifier(database.user)}`
    await superuser.client.query(grant)
  }
}

/** An admin signals sessions of the users it made: revocation cuts them. */
async function ensureAdmin(client: Client, { user, passwordFile }: StandInDatabase): Promise<void> {
  const password = escapeLiteral(readFileSync(passwordFile, 'utf8').trim())
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [user])
  const verb = rowCount === 0 ? 'create' : 'alter'
  await client.query(`${verb} role ${escapeIdentifier(user)} login createrole password ${password}`)
  await client.query(`grant pg_signal_backend to ${escapeIdentifier(user)}`)
}

/** Under a name of its own until it is whole, so that a half-loaded sample is never taken for the database. */
async function createDatabase(
  superuser: Client,
  server: PostgresServer,
  database: StandInDatabase & { clusterRoot: string },
): Promise<void> {
  const half = escapeIdentifier(`${database.database} (loading)`)
  await superuser.query(`drop database if exists ${half}`)
  await superuser.query(`create database ${half} owner ${escapeIdentifier(database.user)}`)
  const file = join(database.clusterRoot, 'seed', `${database.database}.sql`)
  if (existsSync(file)) {
    await using admin = await connect(server, { ...database, database: `${database.database} (loading)` })
    await admin.client.query(readFileSync(file, 'utf8')).catch((cause: unknown) => {
      throw new SeedError(file, cause)
    })
  }
  await superuser.query(`alter database ${half} rename to ${escapeIdentifier(database.database)}`)
}

async function connect(
  { socketDirectory }: PostgresServer,
  { user, passwordFile, database }: { user: string; passwordFile: string; database: string },
): Promise<AsyncDisposable & { client: Client }> {
  const password = readFileSync(passwordFile, 'utf8').trim()
  const client = new Client({ host: socketDirectory, user, password, database })
  client.on('error', () => {})
  await client.connect()
  return { client, [Symbol.asyncDispose]: () => client.end() }
}
