import { trace } from '@opentelemetry/api'
import type { ApiKey } from '#lib/http'
import { cancelRequest, type RequestView } from '#lib/queue'
import { attribute, contextOf } from '#lib/telemetry'
import type { Producer } from './accept.ts'
import { readOwn } from './read.ts'

/**
 * Cancels a request that the key may read, and gives it as it then is: ended where it waited, running and with
 * `cancelledAt` where an attempt of it runs. One that has ended stays as it is, so a cancel can be repeated.
 * @throws ProblemError `not-found`
 */
export async function cancel(producer: Producer, id: string, key: ApiKey): Promise<RequestView> {
  const { type, owner, traceparent } = await readOwn(producer, id, key)
  linkTo(traceparent, { [attribute.agentType]: type.agentType.name, [attribute.requestId]: id })
  const became = await cancelRequest(producer.redis, type.ref, id)
  producer.log.info({ request: id, tenant: owner.tenant, caller: key.caller, became }, 'cancel served')
  return (await readOwn(producer, id, key)).view
}

/** The cancel has a trace of its own, as it is another call; its span leads to the trace of the request. */
function linkTo(traceparent: string | undefined, attributes: Record<string, string>): void {
  const span = trace.getActiveSpan()?.setAttributes(attributes)
  const context = trace.getSpanContext(contextOf(traceparent))
  if (context) span?.addLink({ context })
}
