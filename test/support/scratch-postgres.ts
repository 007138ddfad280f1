import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client, type ClientConfig } from 'pg'

/** A Postgres of its own for one test file: unix socket in `directory`, loopback TCP on `port`, gone at disposal. */
export interface ScratchPostgres extends AsyncDisposable {
  directory: string
  port: number
  password: string
  /** One query as the superuser `admin`, or as another user. */
  query(sql: string, as?: { user: string; password: string }): Promise<Record<string, unknown>[]>
  /** An open session that the caller ends. */
  session(as: { user: string; password: string }): Promise<Client>
}

/** Starts it; Postgres refuses root, so there it runs as the user `postgres`. */
export async function openScratchPostgres(): Promise<ScratchPostgres> {
  const identity = process.getuid?.() === 0 ? postgresUser() : {}
  const directory = mkdtempSync('/tmp/tb-pg-')
  const data = join(directory, 'data')
  const password = 'scratch-superuser-password'
  writeFileSync(join(directory, 'password'), password)
  if (identity.uid !== undefined) {
    chownSync(directory, identity.uid, identity.gid!)
    chownSync(join(directory, 'password'), identity.uid, identity.gid!)
  }
  const passwordFile = `--pwfile=${join(directory, 'password')}`
  execFileSync(
    'initdb',
    ['-D', data, '-U', 'admin', '--auth=scram-sha-256', passwordFile, '--no-sync', '-E', 'UTF8'],
    { ...identity, cwd: '/tmp', stdio: 'ignore' },
  )
  const { child, port } = await startServer({ data, directory, password, identity })
  const session = async (as: { user: string; password: string }) => {
    const client = new Client({ host: directory, port, database: 'postgres', ...as })
    client.on('error', () => {})
    await client.connect()
    return client
  }
  const query: ScratchPostgres['query'] = async (sql, as = { user: 'admin', password }) => {
    const client = await session(as)
    try {
      return (await client.query(sql)).rows as Record<string, unknown>[]
    } finally {
      await client.end()
    }
  }
  return {
    directory,
    port,
    password,
    query,
    session,
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT')
      if (child.exitCode === null) await once(child, 'exit')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

interface Place {
  data: string
  directory: string
  password: string
  identity: { uid?: number; gid?: number }
}

/** Resolves when it takes sessions. Where another process has taken the port since it was free, it ends and gets the next. */
async function startServer({ data, directory, password, identity }: Place) {
  const end = Date.now() + 60_000
  while (Date.now() < end) {
    const port = await freePort()
    const child = spawn(
      'postgres',
      ['-D', data, '-k', directory, '-p', String(port), '-h', '127.0.0.1', '-c', 'fsync=off'],
      { ...identity, cwd: '/tmp', stdio: 'ignore' },
    )
    const as = { host: directory, port, database: 'postgres', user: 'admin', password }
    while (child.exitCode === null && Date.now() < end) {
      if (await takesSessions(as)) return { child, port }
      await delay(50)
    }
    child.kill('SIGKILL')
  }
  throw new Error('Postgres takes no sessions')
}

async function takesSessions(as: ClientConfig): Promise<boolean> {
  const client = new Client(as)
  client.on('error', () => {})
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}

const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres']).toString())

function postgresUser(): { uid?: number; gid?: number } {
  return { uid: idOf('-u'), gid: idOf('-g') }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
