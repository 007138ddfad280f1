import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { type Log, hashCredential, isSameHash, onDispose, readCredential } from '#lib/runtime'
import { sendError, sendJson } from './exchange.ts'
import { failureOf } from './failure.ts'
import { OperatorRoutes, type OperatorRoutesOptions } from './operator-routes.ts'

/** Where operators ask, and what they present. */
export interface OperatorAccess {
  /** In a folder that nobody but operators enters. */
  socket: string
  credentialFile: string
}

/**
 * Listens for operators: `threadbound secrets` forgets what is cached through it, and has put on record what it does. Apart
 * from the sockets of agent types, so that no worker and no context can reach it. Nothing is served where none is asked for.
 */
export async function openOperatorSocket(
  access: OperatorAccess | undefined,
  options: OperatorRoutesOptions & { log: Log },
): Promise<AsyncDisposable> {
  if (!access) return onDispose(() => {})
  const credential = hashCredential(readCredential(access.credentialFile))
  const routes = new OperatorRoutes(options)
  const server = createServer((request, response) => {
    void serve({ request, response, credential, routes, log: options.log })
  })
  await mkdir(dirname(access.socket), { recursive: true, mode: 0o700 })
  await rm(access.socket, { force: true })
  server.listen({ path: access.socket })
  await once(server, 'listening')
  await chmod(access.socket, 0o600)
  return onDispose(async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
}

interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  credential: string
  routes: OperatorRoutes
  log: Log
}

async function serve({ request, response, credential, routes, log }: Exchange): Promise<void> {
  const presented = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
  if (!isSameHash(credential, hashCredential(presented))) {
    log.warn({}, 'operator with a wrong credential refused')
    return sendJson(response, 401, { error: { type: 'unauthorized', message: 'wrong credential' } })
  }
  try {
    sendJson(response, 200, await routes.answer(request))
  } catch (error) {
    const name = error instanceof Error ? error.name : typeof error
    if (failureOf(error).type === 'sidecar-failed') log.error({ error: name }, "operator's request failed")
    sendError(response, error)
  }
}
