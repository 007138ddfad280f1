import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { isLoopbackHost, listen, type Listening } from '#lib/http'
import { type Log, messageOf } from '#lib/runtime'
import { buildTree, OtlpError, type TraceStore } from '#lib/traces'
import { Access } from './access.ts'
import { pages } from './pages.ts'

const BODY_LIMIT_BYTES = 8 * 2 ** 20
const USE_JSON = 'expected OTLP as application/json: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json on the sender'

/** What the trace store's server needs. */
export interface ServerOptions {
  host: string
  /** 0 takes a free one. */
  port: number
  /** At least 16 characters. */
  token: string
  store: TraceStore
  log: Log
}

/** Serves the store over HTTP: OTLP in, JSON and pages out. Disposing it closes the port. */
export async function openServer(options: ServerOptions): Promise<Listening> {
  return listen(buildApp(options), options)
}

/** The routes without a port, for tests. */
export function buildApp({ token, store, log }: Omit<ServerOptions, 'host' | 'port'>): FastifyInstance {
  const app = Fastify({ bodyLimit: BODY_LIMIT_BYTES, logger: false, forceCloseConnections: true })
  const access = new Access(token)
  app.setErrorHandler((error: FastifyError, _request, reply) => answerError(error, reply, log))
  app.addHook('onRequest', async (request, reply) => {
    if (!isLoopbackHost(request.headers.host)) await refuse(reply, 421, 'expected a Host of this machine')
  })
  void app.register(cookie)
  void app.register(formbody)
  void app.register(async (scope) => api(scope, access, store))
  void app.register(async (scope) => pages(scope, access, store))
  return app
}

function api(app: FastifyInstance, access: Access, store: TraceStore): void {
  app.addHook('onRequest', async (request, reply) => {
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (!access.hasBearer(request)) await refuse(reply, 401, 'expected Authorization: Bearer <token>')
    else if (encoding !== 'identity')
      await refuse(reply, 415, 'expected no content-encoding: set compression to none')
  })
  app.post('/v1/traces', async (request) => {
    store.ingest(request.body)
    return { partialSuccess: {} }
  })
  app.get('/api/traces', async () => ({ traces: store.recent() }))
  app.get<{ Params: { traceId: string } }>('/api/traces/:traceId', async (request, reply) => {
    const spans = store.spans(request.params.traceId)
    if (spans.length === 0) return refuse(reply, 404, 'no spans of this trace')
    return { spans, tree: buildTree(spans) }
  })
}

/** The one place where errors become statuses. Bodies have the shape of google.rpc.Status, as OTLP/HTTP asks. */
function answerError(error: FastifyError, reply: FastifyReply, log: Log): FastifyReply {
  if (error instanceof OtlpError) return refuse(reply, 400, error.message)
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return refuse(reply, 415, USE_JSON)
  if (error.statusCode && error.statusCode < 500) return refuse(reply, error.statusCode, messageOf(error))
  log.error({ reason: messageOf(error) }, 'request failed')
  return refuse(reply, 500, 'the trace store failed; its log says why')
}

function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.code(status).send({ code: status, message })
}
