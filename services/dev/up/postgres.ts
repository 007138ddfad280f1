import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { PermanentError } from '#lib/runtime'
import type { Launch, SupervisedSpec } from '../supervision/index.ts'
import { privateDirectory } from './directories.ts'
import { findPostgresProgram } from './find-program.ts'
import type { Stage } from './stage.ts'
import { STOP_PHASE } from './stop-phases.ts'

/** The superuser of a Postgres of our own. */
const POSTGRES_SUPERUSER = 'postgres'

/** Postgres refuses root and a uid without a passwd entry; these have one. */
const USERS = ['postgres', 'nobody']

/** A Postgres of our own, once it is initialised. */
export interface PostgresServer {
  spec: SupervisedSpec
  /** The directory of its unix socket: what libpq and `pg` call the host. */
  socketDirectory: string
  superuser: { user: string; passwordFile: string }
}

/** initdb refused. Shows what it said. */
export class InitdbError extends PermanentError {
  override readonly name = 'InitdbError'
  constructor(output: string) {
    super(`postgres could not be initialised: ${output.trim()}`)
  }
}

/**
 * A Postgres of our own: unix socket only, every user with a password. Initialised on first use.
 * Where we are root it runs as another user, who may not be able to enter the folders above the data directory:
 * it is given that directory as an open descriptor, so the place does not matter. Its clients are in a group of theirs.
 */
export async function preparePostgres({
  directories,
  credentials,
  ownership,
}: Pick<Stage, 'directories' | 'credentials' | 'ownership'>): Promise<PostgresServer> {
  const user = unprivilegedUser()
  const directory = privateDirectory(directories.data, 'postgres')
  const socketDirectory = privateDirectory(directories.runtime, 'postgres')
  if (user) chownSync(directory, user.uid, user.gid)
  if (user) chownSync(socketDirectory, user.uid, ownership.userOf('postgres')?.gid ?? user.gid)
  chmodSync(socketDirectory, 0o750)
  const place = user
    ? { user, dataDirectory: DESCRIPTOR, descriptors: [openSync(directory, 'r')] }
    : { user, dataDirectory: directory, descriptors: undefined }
  const password = credentials.read('postgres-superuser')
  const finished = join(directories.data, 'postgres-initialised')
  if (!existsSync(finished)) {
    for (const half of readdirSync(directory)) rmSync(join(directory, half), { recursive: true })
    await initialise(place, { socketDirectory, password })
    writeFileSync(finished, '')
  }
  const launch: Launch = {
    command: findPostgresProgram('postgres'),
    args: [
      '-D',
      place.dataDirectory,
      ...settings({ listen_addresses: '', unix_socket_directories: socketDirectory }),
    ],
    env: {},
    user: place.user,
    descriptors: place.descriptors,
  }
  const superuser = { user: POSTGRES_SUPERUSER, passwordFile: credentials.file('postgres-superuser') }
  const connection = { host: socketDirectory, user: POSTGRES_SUPERUSER, password }
  const spec: SupervisedSpec = {
    name: 'postgres',
    stopPhase: STOP_PHASE.postgres,
    stopSignal: 'SIGINT', // "fast": does not wait until every client has gone by itself
    launch: () => launch,
    probe: () => probePostgres(connection),
  }
  return { spec, socketDirectory, superuser }
}

/** Descriptor 3 of the server's process, as a path. */
const DESCRIPTOR = '/proc/self/fd/3'

/** Whom the server runs as, and how it reaches its data directory. */
interface Place {
  user: Launch['user']
  dataDirectory: string
  descriptors: number[] | undefined
}

async function initialise(place: Place, given: { socketDirectory: string; password: string }): Promise<void> {
  const passwordFile = join(given.socketDirectory, 'initdb-password')
  writeFileSync(passwordFile, given.password, { mode: 0o600 })
  if (place.user) chownSync(passwordFile, place.user.uid, place.user.gid)
  const args = ['-D', place.dataDirectory, '-U', POSTGRES_SUPERUSER, '-E', 'UTF8', '--no-locale', '--no-sync']
  args.push('--auth=scram-sha-256', `--pwfile=${passwordFile}`)
  try {
    await runInitdb(args, place)
  } finally {
    rmSync(passwordFile, { force: true })
  }
}

async function runInitdb(args: string[], place: Place): Promise<void> {
  const child = spawn(findPostgresProgram('initdb'), args, {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'pipe', ...(place.descriptors ?? [])],
    ...place.user,
  })
  let errors = ''
  child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new InitdbError(errors)
}

async function probePostgres(connection: { host: string; user: string; password: string }): Promise<void> {
  const client = new Client({ ...connection, database: 'postgres', connectionTimeoutMillis: 2000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
  } finally {
    await client.end().catch(() => {})
  }
}

function unprivilegedUser(): Launch['user'] {
  if (process.getuid?.() !== 0) return undefined
  for (const name of USERS) {
    const [uid, gid] = ['-u', '-g'].map((which) => spawnSync('id', [which, name], { encoding: 'utf8' }))
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  }
  throw new PermanentError(
    `postgres refuses to run as root, and none of the users ${USERS.join(', ')} exists`,
  )
}

const settings = (values: Record<string, string>) =>
  Object.entries(values).flatMap(([key, value]) => ['-c', `${key}=${value}`])
