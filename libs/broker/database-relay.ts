import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Capped } from './capped.ts'
import { UpstreamError } from './errors.ts'

/** The one database that a secret leads to. */
export interface DatabaseAddress {
  host: string
  port: number
  /** Folder of Postgres' unix socket; used instead of the host where it is given. */
  socket?: string
}

const CONNECT_TIMEOUT_MS = 5000

/** Opens a connection to a declared database. @throws UpstreamError when it does not answer; the signal's reason when it aborts */
export async function connectDatabase(address: DatabaseAddress, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted()
  const deadline = AbortSignal.timeout(CONNECT_TIMEOUT_MS)
  const socket = address.socket
    ? connect({ path: `${address.socket}/.s.PGSQL.${address.port}` })
    : connect({ host: address.host, port: address.port, noDelay: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const stop = () => reject(signal.aborted ? signal.reason : timedOut())
  const ended = AbortSignal.any([signal, deadline])
  ended.addEventListener('abort', stop)
  socket.once('connect', resolve).once('error', (cause: NodeJS.ErrnoException) => reject(unreachable(cause)))
  try {
    await promise
    return socket
  } catch (error) {
    socket.on('error', () => {}).destroy()
    throw error
  } finally {
    ended.removeEventListener('abort', stop)
  }
}

/** What ends a relay beside its two sides. */
export interface RelayLimits {
  signal: AbortSignal
  /** Sees the bytes of both directions and may throw: that ends the relay. */
  count: (bytes: number) => void
}

/** Carries bytes both ways until either side ends or a limit is reached; then both are closed at once. Never rejects. */
export async function relay(near: Duplex, far: Duplex, { signal, count }: RelayLimits): Promise<void> {
  const cut = () => {
    near.destroy()
    far.destroy()
  }
  signal.addEventListener('abort', cut, { once: true })
  try {
    if (signal.aborted) return
    const counted = () => new Capped(Infinity, (bytes) => count(bytes))
    await Promise.race([pipeline(near, counted(), far), pipeline(far, counted(), near)])
  } catch {
    // the end of a relay, however it came
  } finally {
    signal.removeEventListener('abort', cut)
    cut()
  }
}

const timedOut = () => new UpstreamError('upstream-timeout', 'the database did not answer in time')
const unreachable = ({ code }: NodeJS.ErrnoException) =>
  new UpstreamError('upstream-failed', `the database could not be reached (${code ?? 'no code'})`)
