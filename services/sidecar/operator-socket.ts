import { listenForOperators, type OperatorAccess } from '#lib/http'
import type { Log } from '#lib/runtime'
import { sendError, sendJson } from './exchange.ts'
import { failureOf } from './failure.ts'
import { OperatorRoutes, type OperatorRoutesOptions } from './operator-routes.ts'

/**
 * Listens for operators: `threadbound secrets` forgets what is cached through it, and has put on record what it does. Apart
 * from the sockets of agent types, so that no worker and no context can reach it. Nothing is served where none is asked for.
 */
export function openOperatorSocket(
  access: OperatorAccess | undefined,
  options: OperatorRoutesOptions & { log: Log },
): Promise<AsyncDisposable> {
  const { log } = options
  const routes = new OperatorRoutes(options)
  return listenForOperators(access, {
    log,
    async serve(request, response) {
      try {
        sendJson(response, 200, await routes.answer(request))
      } catch (error) {
        const name = error instanceof Error ? error.name : typeof error
        if (failureOf(error).type === 'sidecar-failed')
          log.error({ error: name }, "operator's request failed")
        sendError(response, error)
      }
    },
  })
}
