import { isIP } from 'node:net'
import { PermanentError } from '#lib/runtime'

/** The dev Vault has no TLS, so it listens on this machine alone. */
export class RefusedHostError extends PermanentError {
  override readonly name = 'RefusedHostError'
  constructor(host: string) {
    super(`host: expected a loopback address (127.0.0.0/8 or ::1), got ${JSON.stringify(host)}`)
  }
}

/** Literal addresses only: what a name resolves to can change. @throws RefusedHostError */
export function refuseNonLoopback(host: string): void {
  const isLoopback = isIP(host) === 4 ? host.startsWith('127.') : host === '::1'
  if (!isLoopback) throw new RefusedHostError(host)
}
