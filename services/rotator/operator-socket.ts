import Fastify, { type FastifyInstance } from 'fastify'
import {
  serializerCompiler,
  validatorCompiler,
  hasZodFastifySchemaValidationErrors,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hashCredential, isSameHash, type Log, messageOf, onDispose, readCredential } from '#lib/runtime'
import { registerRoutes, type RoutesOptions } from './operator-routes.ts'

/** Where operators ask, and what they present. */
export interface OperatorAccess {
  /** In a folder that nobody but operators enters. */
  socket: string
  credentialFile: string
}

/**
 * Listens for operators: `threadbound secrets rotate` asks here. Apart from Redis, so that no Redis user can ask for a
 * rotation, which ends keys. Nothing is served where none is asked for.
 */
export async function openOperatorSocket(
  access: OperatorAccess | undefined,
  options: RoutesOptions & { log: Log },
): Promise<AsyncDisposable> {
  if (!access) return onDispose(() => {})
  const app = buildApp(hashCredential(readCredential(access.credentialFile)), options)
  await mkdir(dirname(access.socket), { recursive: true, mode: 0o700 })
  await rm(access.socket, { force: true })
  await app.listen({ path: access.socket })
  await chmod(access.socket, 0o600)
  return onDispose(() => app.close())
}

function buildApp(credential: string, options: RoutesOptions & { log: Log }): FastifyInstance {
  const app = Fastify({ logger: false, bodyLimit: 65_536, forceCloseConnections: true })
  app.setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler)
  app.addHook('onRequest', async (request, reply) => {
    const presented = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    if (isSameHash(credential, hashCredential(presented))) return
    options.log.warn({}, 'operator with a wrong credential refused')
    await reply.code(401).send(refusal('unauthorized', 'wrong credential'))
  })
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
