import Fastify, { type FastifyInstance } from 'fastify'
import {
  serializerCompiler,
  validatorCompiler,
  hasZodFastifySchemaValidationErrors,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { listenForOperators, type OperatorAccess } from '#lib/http'
import { type Log, messageOf } from '#lib/runtime'
import { registerRoutes, type RoutesOptions } from './operator-routes.ts'

/**
 * Listens for operators: `threadbound secrets rotate` asks here. Apart from Redis, so that no Redis user can ask for a
 * rotation, which ends keys. Nothing is served where none is asked for.
 */
export async function openOperatorSocket(
  access: OperatorAccess | undefined,
  options: RoutesOptions & { log: Log },
): Promise<AsyncDisposable> {
  const app = buildApp(options)
  await app.ready()
  return listenForOperators(access, {
    serve: (request, response) => app.routing(request, response),
    log: options.log,
  })
}

function buildApp(options: RoutesOptions & { log: Log }): FastifyInstance {
  const app = Fastify({ logger: false, bodyLimit: 65_536 })
  app.setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler)
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send(refusal('no-route', `${request.method} ${request.url} is not served here`)),
  )
  app.setErrorHandler((error, _request, reply) => {
    const isBad = hasZodFastifySchemaValidationErrors(error)
    const status = isBad ? 400 : ((error as { statusCode?: number }).statusCode ?? 500)
    if (status >= 500) options.log.error({ error: messageOf(error) }, "operator's request failed")
    return reply.code(status).send(refusal(status < 500 ? 'bad-request' : 'rotator-failed', messageOf(error)))
  })
  registerRoutes(app.withTypeProvider<ZodTypeProvider>(), options)
  return app
}

const refusal = (type: string, message: string) => ({ error: { type, message } })
