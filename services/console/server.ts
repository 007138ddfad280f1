import type { AddressInfo } from 'node:net'
import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { messageOf } from '#lib/runtime'
import type { ApiKeys } from './api-keys.ts'
import { type BoardOptions, registerBoard } from './board.ts'
import { registerLogin } from './login.ts'

/** What the console's server needs. */
export interface ConsoleOptions extends BoardOptions {
  host: string
  /** 0 takes a free one. */
  port: number
  keys: ApiKeys
}

/**
 * Bull Board's own needs: it styles elements in place and keeps its configuration in a JSON element, which no policy
 * counts as script. Its web font is not fetched: the console talks to nobody.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')
const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // not no-referrer: with it a browser sends `Origin: null` on our own forms
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
}
const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i

/** Serves the console over HTTP. Disposing it closes the port. */
export async function openServer(options: ConsoleOptions): Promise<AsyncDisposable & { url: string }> {
  const app = await buildApp(options)
  await app.listen({ host: options.host, port: options.port })
  const { port } = app.server.address() as AddressInfo
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return { url: `http://${host}:${port}`, [Symbol.asyncDispose]: () => app.close() }
}

/** The routes without a port, for tests. */
export async function buildApp(options: Omit<ConsoleOptions, 'port'>): Promise<FastifyInstance> {
  const app = Fastify({ logger: false, bodyLimit: 16_384, forceCloseConnections: true })
  const onLoopback = /^(localhost|127\.|::1$)/.test(options.host)
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const status = error.statusCode ?? 500
    if (status < 500) return refuse(reply, status, messageOf(error))
    options.log.error({ reason: messageOf(error) }, 'console request failed')
    return refuse(reply, 500, 'the console failed; its log says why')
  })
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(HEADERS)
    const { host = '', origin } = request.headers
    const reads = request.method === 'GET' || request.method === 'HEAD'
    if (onLoopback && !LOOPBACK.test(host)) await refuse(reply, 421, 'expected a Host of this machine')
    else if (!reads && !isOwnOrigin(origin, host))
      await refuse(reply, 403, 'expected the Origin of the console')
  })
  await app.register(cookie)
  await app.register(formbody)
  registerLogin(app, options.keys)
  registerBoard(app, options)
  await app.ready()
  return app
}

/** A browser names the origin on every write. Behind TLS the page's scheme is https while ours is http. */
function isOwnOrigin(origin: string | undefined, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`
}

function refuse(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).send({ error })
}
