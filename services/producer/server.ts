import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import type { Redis } from 'ioredis'
import { problemOf } from './error-mapping.ts'
import { ProblemError } from './problem.ts'
import { addRoutes, type Routed } from './routes.ts'

/** Largest body, in bytes. */
export const BODY_LIMIT_BYTES = 2 ** 20

/** The producer's HTTP server, not yet listening. */
export function buildServer(routed: Omit<Routed, 'closing'>): FastifyInstance {
  const { redis, log } = routed.producer
  const closing = new AbortController()
  const loggerInstance: FastifyBaseLogger = log
  const logController = new LogController({ disableRequestLogging: true })
  const app = Fastify({
    loggerInstance,
    logController,
    bodyLimit: BODY_LIMIT_BYTES,
    // A long id is an unknown one.
    routerOptions: { maxParamLength: 2 ** 14 },
    frameworkErrors: (error, _request, reply) => void sendProblem(reply as FastifyReply, problemOf(error)),
  })
  // Waits of callers end at once.
  app.addHook('preClose', async () => closing.abort())
  // Else the close would wait until a connection that was busy when it began has been idle for long enough.
  app.addHook('onSend', async (_request, reply) => {
    if (closing.signal.aborted) void reply.header('connection', 'close')
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    if (problem.type === 'internal') request.log.error({ err: error }, 'unexpected error')
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, new ProblemError('not-found', 'there is nothing at this address')),
  )
  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/readyz', () => ready(redis))
  void app.register(async (scope) => addRoutes(scope, { ...routed, closing: closing.signal }))
  return app
}

async function ready(redis: Redis): Promise<{ status: 'ready' }> {
  await redis.ping()
  return { status: 'ready' }
}

function sendProblem(reply: FastifyReply, problem: ProblemError): FastifyReply {
  if (problem.retryAfterS !== undefined) void reply.header('retry-after', problem.retryAfterS)
  if (problem.type === 'unauthorized') void reply.header('www-authenticate', 'Bearer')
  return reply.code(problem.status).type('application/problem+json').send(problem.toProblem())
}
