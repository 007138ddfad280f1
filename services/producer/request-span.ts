import { context, type Link, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiKey } from '#lib/http'
import { attribute, contextOf, tracer } from '#lib/telemetry'
import { problemOf } from './error-mapping.ts'

/**
 * Runs a route inside its server span, such as `POST /v1/requests`. The traceparent of a worker's key is its parent, so a call
 * between agents continues the trace; anybody else's is only linked, so nobody writes into a trace that is not theirs.
 */
export async function inRequestSpan<T>(
  { request, reply, key }: { request: FastifyRequest; reply: FastifyReply; key: ApiKey },
  work: () => Promise<T>,
): Promise<T> {
  const sent = contextOf(request.headers['traceparent'])
  const remote = trace.getSpanContext(sent)
  const isWorker = key.agentType !== undefined
  const links: Link[] = remote && !isWorker ? [{ context: remote }] : []
  const parent = isWorker ? sent : contextOf(undefined)
  const route = request.routeOptions.url ?? ''
  const attributes = { [attribute.httpMethod]: request.method, [attribute.httpRoute]: route }
  const startTime = Date.now() - reply.elapsedTime
  const span = tracer().startSpan(
    `${request.method} ${route}`,
    { kind: SpanKind.SERVER, attributes, links, startTime },
    parent,
  )
  try {
    const result = await context.with(trace.setSpan(parent, span), work)
    span.setAttribute(attribute.httpStatus, reply.statusCode)
    return result
  } catch (error) {
    const { status, type } = problemOf(error)
    span.setAttributes({ [attribute.httpStatus]: status, [attribute.errorType]: type })
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
    throw error
  } finally {
    span.end()
  }
}
