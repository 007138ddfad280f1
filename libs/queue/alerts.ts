import type { Redis } from 'ioredis'
import { Alert } from '#lib/runtime'
import type { QueueRef } from './names.ts'
import { parseMessage } from './parse-message.ts'

/** Alerts kept per agent type; about as many, since Redis trims whole nodes of a stream. */
const KEPT = 1000

/**
 * Adds an alert of an agent type to its stream, beside its queue, or one of a service to that of its own keys: a worker
 * needs no right to any key of others, and which agent type an alert is of is not its word alone.
 */
export async function publishAlert(redis: Redis, queue: QueueRef, alert: Alert): Promise<void> {
  await redis.xadd(alertsKey(queue), 'MAXLEN', '~', KEPT, '*', 'alert', JSON.stringify(Alert.parse(alert)))
}

/** The newest alerts of an agent type or service, the newest first. What does not fit the schema is left out. */
export async function readAlerts(redis: Redis, queue: QueueRef, count = 100): Promise<Alert[]> {
  const entries = await redis.xrevrange(alertsKey(queue), '+', '-', 'COUNT', count)
  return entries.flatMap(([, [, text]]) => parseMessage(Alert, text ?? '') ?? [])
}

/** The stream's key. */
export const alertsKey = (queue: QueueRef) => queue.key('tb:alerts')
