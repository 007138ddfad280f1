import { createBullBoard } from '@bull-board/api'
import type { IServerAdapter } from '@bull-board/api/typings/app'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import type { FastifyInstance } from 'fastify'
import type { Cluster } from '#lib/cluster'
import { traceIdOf } from '#lib/queue'
import { type Log, messageOf } from '#lib/runtime'
import type { Queues } from './queues.ts'
import { isKnownRoute, redact } from './redact.ts'

/** Where Bull Board lives. */
export const BOARD_PATH = '/queues'

type BoardSettings = NonNullable<Parameters<typeof createBullBoard>[0]['options']>

/** What Bull Board needs. */
export interface BoardOptions {
  cluster: Cluster
  queues: Queues
  /** Base URL of the page that shows a trace. Without it jobs have no link. */
  tracesUrl?: string | undefined
  log: Log
}

/** Bull Board, for looking alone: every write is refused, and every answer passes {@link redact}. */
export function registerBoard(app: FastifyInstance, { cluster, queues, tracesUrl, log }: BoardOptions): void {
  const server = new FastifyAdapter()
  const agentTypes = new Set(Object.keys(cluster.agents))
  createBullBoard({
    queues: queues.all.map(
      (queue) =>
        new BullMQAdapter(queue, {
          readOnlyMode: true,
          allowRetries: false,
          ...(tracesUrl && { externalJobUrl: (job) => traceLink(tracesUrl, job) as { href: string } }),
        }),
    ),
    // the Fastify adapter of 9.10.1 is typed against its own copy of the api package
    serverAdapter: server as unknown as IServerAdapter,
    options: { handlerHooks: lookingAlone(agentTypes), uiConfig: appearance(cluster) },
  })
  // Bull Board would answer with the message of whatever was thrown
  server.setErrorHandler((error) => {
    log.error({ reason: messageOf(error) }, 'console request failed')
    return { status: 500, body: { error: { key: 'ERRORS.INTERNAL_SERVER_ERROR' } } }
  })
  server.setBasePath(BOARD_PATH)
  void app.register(server.registerPlugin(), { prefix: BOARD_PATH })
}

/** No write reaches a queue, and no answer leaves unseen. */
function lookingAlone(agentTypes: ReadonlySet<string>): NonNullable<BoardSettings['handlerHooks']> {
  return {
    before: ({ method, route }) =>
      method === 'get' && isKnownRoute(route) ? undefined : { allow: false, status: 403 },
    after: ({ route }, result) => {
      const body = redact({ route, status: result.status ?? 200, body: result.body }, agentTypes)
      return { ...result, body: body as Record<string, unknown> }
    },
  }
}

function appearance({ name, environment }: Cluster): NonNullable<BoardSettings['uiConfig']> {
  return {
    boardTitle: `threadbound ${name}`,
    environment: { label: environment, color: '#4c7fd0' },
    miscLinks: [{ text: 'Log out', url: '/logout' }],
    hideDocsLink: true,
    hideRedisDetails: true,
    showWorkers: false,
  }
}

function traceLink(tracesUrl: string, job: { opts: { telemetry?: { metadata?: string } } }) {
  const traceId = traceIdOf(job)
  return traceId && { href: `${tracesUrl.replace(/\/+$/, '')}/traces/${traceId}`, displayText: 'Trace' }
}
