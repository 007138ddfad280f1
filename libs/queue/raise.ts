import { type Alert, type Log, messageOf } from '#lib/runtime'
import type { Redis } from 'ioredis'
import { setTimeout as delay } from 'node:timers/promises'
import { publishAlert } from './alerts.ts'
import type { QueueRef } from './names.ts'

/** Commands wait for a Redis that is away; whoever raises an alert must not. */
const PUBLISH_MS = 1_000
const LABEL_CHARACTERS = 1_000

/** Tells the operators: in the log, and in the stream of an agent type or service. Never rejects. */
export type RaiseAlert = (
  name: string,
  severity: Alert['severity'],
  labels?: Record<string, string>,
  trace?: string | null,
) => Promise<void>

/** Raises alerts of one agent type, or of a service, which has none. Without a trace they concern no one attempt. */
export function openAlerts(redis: Redis, queue: QueueRef, log: Log): RaiseAlert {
  const own: Record<string, string> = queue.name.startsWith('.')
    ? { service: queue.name.slice(1) }
    : { 'agent-type': queue.name }
  return async (name, severity, labels = {}, trace = null) => {
    const all = Object.entries({ ...own, ...labels })
    const short = all.map(([label, value]) => [label, value.slice(0, LABEL_CHARACTERS)])
    const alert: Alert = { name, severity, labels: Object.fromEntries(short), at: Date.now(), trace }
    log.warn({ alert }, 'alert raised')
    const published = publishAlert(redis, queue, alert).catch((error: unknown) =>
      log.warn({ alert: name, error: messageOf(error) }, 'alert not published'),
    )
    await Promise.race([published, delay(PUBLISH_MS, undefined, { ref: false })])
  }
}
