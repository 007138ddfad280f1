import { trace } from '@opentelemetry/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import * as z from 'zod'
import { type ApiKey, bearerOf, findApiKey } from '#lib/http'
import { Metadata } from '#lib/queue'
import { parseDurationMs } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import { accept, type Producer } from './accept.ts'
import { describeAgent } from './agents.ts'
import { cancel } from './cancel.ts'
import type { EndWatch } from './end-watch.ts'
import { ProblemError } from './problem.ts'
import { readWhenEnded } from './read.ts'
import { inRequestSpan } from './request-span.ts'

/** The longest `?wait=`. */
const MAX_WAIT_MS = 60_000

const Posted = z.strictObject({
  agent: z.string(),
  input: z.unknown(),
  idempotencyKey: z.string().min(1).max(200).optional(),
  metadata: Metadata.optional(),
  parent: z.strictObject({ id: z.string().min(1).max(200), job: z.unknown() }).optional(),
})
const Wait = z
  .string()
  .transform((text) => parseDurationMs(text) ?? Number.NaN)
  .refine((ms) => ms <= MAX_WAIT_MS, 'expected a duration of at most 60s, such as 30s')

export interface Routed {
  producer: Producer
  keys: ApiKey[]
  watch: EndWatch
  /** Aborts when the producer closes. */
  closing: AbortSignal
}

/** The routes that ask for an API key. */
export function addRoutes(app: FastifyInstance, routed: Routed): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const callers = new WeakMap<FastifyRequest, ApiKey>()
  const callerOf = (request: FastifyRequest) => callers.get(request)!
  // Before the body is read: a stranger's body costs nothing.
  routes.addHook('onRequest', async (request) => {
    const key = findApiKey(routed.keys, bearerOf(request.headers.authorization))
    if (!key)
      throw new ProblemError('unauthorized', 'expected "Authorization: Bearer <API key>" with a known key')
    callers.set(request, key)
  })
  routes.post('/v1/requests', { schema: { body: Posted } }, async (request, reply) => {
    const key = callerOf(request)
    return await inRequestSpan({ request, reply, key }, async () => {
      const { id, traceId } = await accept(routed.producer, request.body, key)
      const url = `/v1/requests/${id}`
      trace
        .getActiveSpan()
        ?.setAttributes({ [attribute.agentType]: request.body.agent, [attribute.requestId]: id })
      void reply.code(202).header('location', url)
      return { id, traceId: traceId ?? trace.getActiveSpan()?.spanContext().traceId ?? null, url }
    })
  })
  const query = z.object({ wait: Wait.default(0) })
  const params = z.object({ id: z.string() })
  routes.get('/v1/requests/:id', { schema: { params, querystring: query } }, (request, reply) =>
    readWhenEnded(routed.producer, routed.watch, {
      id: request.params.id,
      key: callerOf(request),
      waitMs: request.query.wait,
      signal: AbortSignal.any([routed.closing, goneSignal(reply)]),
    }),
  )
  routes.delete('/v1/requests/:id', { schema: { params } }, async (request, reply) => {
    const key = callerOf(request)
    return await inRequestSpan({ request, reply, key }, async () => {
      const view = await cancel(routed.producer, request.params.id, key)
      void reply.code(view.state === 'ended' ? 200 : 202)
      return view
    })
  })
  routes.get('/v1/agents', () =>
    Promise.all(routed.producer.types.all.map((type) => describeAgent(routed.producer.redis, type))),
  )
}

/** Aborts when the caller goes away before it has its answer. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return gone.signal
}
