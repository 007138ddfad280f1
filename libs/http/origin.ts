import type { IncomingHttpHeaders } from 'node:http'

/** True when a Host header names this machine: a page elsewhere whose name was rebound to loopback cannot reach us by it. */
export function isLoopbackHost(host: string | undefined): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(host ?? '')
}

/**
 * True when a write comes from one of our own pages: a browser names the origin on every write. Behind something that
 * ends TLS the page's scheme is https while ours is http: such a service says so in `schemes`.
 */
export function isOwnOrigin({ origin, host }: IncomingHttpHeaders, schemes = ['http']): boolean {
  return schemes.some((scheme) => origin === `${scheme}://${host}`)
}
