import { Socket } from 'node:net'
import type { Client } from 'pg'

/** Where a Postgres is. */
export interface PostgresServer {
  /** A host name, an address, or the folder of a unix socket. */
  host: string
  port: number
  database: string
}

/** One session's beginning: where, as whom, and until when. */
export interface SessionOptions {
  server: PostgresServer
  user: string
  password: string
  signal: AbortSignal
}

/** A statement that lost its caller ends by itself on the server too. */
const STATEMENT_MS = 20_000

/**
 * Runs `use` in one session, over TLS unless the server is on this machine. The connection is cut when the signal aborts:
 * what was not committed is rolled back.
 * @throws pg's errors; the signal's reason
 */
export async function inSession<T>(options: SessionOptions, use: (client: Client) => Promise<T>): Promise<T> {
  const { server, user, password, signal } = options
  signal.throwIfAborted()
  const { Client } = await import('pg') // whoever only reads schemas of this lib does not load it
  const socket = new Socket()
  const client = new Client({
    ...server,
    user,
    password,
    ssl: isLocal(server.host) ? false : { rejectUnauthorized: true },
    statement_timeout: STATEMENT_MS,
    application_name: 'threadbound-rotator',
    stream: () => socket,
  })
  client.on('error', () => {}) // the statement under way tells of it too
  const cut = () => socket.destroy()
  signal.addEventListener('abort', cut, { once: true })
  try {
    await client.connect()
    const result = await use(client)
    await client.end()
    return result
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', cut)
    cut()
  }
}

const isLocal = (host: string) => /^(?:\/|localhost$|127\.|::1$)/.test(host)
