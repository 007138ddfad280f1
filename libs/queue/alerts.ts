import type { Redis } from 'ioredis'
import { Alert } from '#lib/runtime'
import type { QueueRef } from './names.ts'

/** Alerts kept per agent type; about as many, since Redis trims whole nodes of a stream. */
const KEPT = 1000

/**
 * Adds an alert of an agent type to its stream, beside its queue: a worker needs no right to any key of others, and
 * which agent type an alert is of is not its word alone.
 */
export async function publishAlert(redis: Redis, queue: QueueRef, alert: Alert): Promise<void> {
  await redis.xadd(key(queue), 'MAXLEN', '~', KEPT, '*', 'alert', JSON.stringify(Alert.parse(alert)))
}

/** The newest alerts of an agent type, the newest first. What does not fit the schema is left out. */
export async function readAlerts(redis: Redis, queue: QueueRef, count = 100): Promise<Alert[]> {
  const entries = await redis.xrevrange(key(queue), '+', '-', 'COUNT', count)
  return entries.flatMap(([, [, text]]) => parse(text) ?? [])
}

function parse(text: string | undefined): Alert | undefined {
  try {
    return Alert.safeParse(JSON.parse(text ?? '')).data
  } catch {
    return undefined
  }
}

const key = (queue: QueueRef) => queue.key('tb:alerts')
