import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { type ApiKeys, isLoopbackHost, isOwnOrigin, listen, type Listening, pageHeaders } from '#lib/http'
import { messageOf } from '#lib/runtime'
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

/** Serves the console over HTTP. Disposing it closes the port. */
export async function openServer(options: ConsoleOptions): Promise<Listening> {
  return listen(await buildApp(options), options)
}

async function buildApp(options: ConsoleOptions): Promise<FastifyInstance> {
  const app = Fastify({ logger: false, bodyLimit: 16_384, forceCloseConnections: true })
  const onLoopback = /^(localhost|127\.|::1$)/.test(options.host)
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const status = error.statusCode ?? 500
    if (status < 500) return refuse(reply, status, messageOf(error))
    options.log.error({ reason: messageOf(error) }, 'console request failed')
    return refuse(reply, 500, 'the console failed; its log says why')
  })
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(pageHeaders(POLICY))
    const reads = request.method === 'GET' || request.method === 'HEAD'
    if (onLoopback && !isLoopbackHost(request.headers.host))
      await refuse(reply, 421, 'expected a Host of this machine')
    else if (!reads && !isOwnOrigin(request.headers, ['http', 'https']))
      await refuse(reply, 403, 'expected the Origin of the console')
  })
  await app.register(cookie)
  await app.register(formbody)
  registerLogin(app, options.keys)
  registerBoard(app, options)
  await app.ready()
  return app
}

function refuse(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).send({ error })
}
