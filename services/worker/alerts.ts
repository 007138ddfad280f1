import { AgentBuildError, LevelUnavailableError } from '#lib/context'
import { publishAlert, type QueueRef } from '#lib/queue'
import { type Alert, type Log, messageOf } from '#lib/runtime'
import type { Redis } from 'ioredis'
import { setTimeout as delay } from 'node:timers/promises'
import { HandlerError } from './errors.ts'

/** Commands wait for a Redis that is away; whoever raises an alert must not. */
const PUBLISH_MS = 1_000
const LABEL_CHARACTERS = 1_000

/** Tells the operators: in the log, and in the agent type's stream. Never rejects. */
export type RaiseAlert = (
  name: string,
  severity: Alert['severity'],
  labels?: Record<string, string>,
) => Promise<void>

/** Raises alerts of one agent type. They concern its worker, not one attempt: they belong to no trace. */
export function openAlerts(redis: Redis, queue: QueueRef, log: Log): RaiseAlert {
  return async (name, severity, labels = {}) => {
    const all = Object.entries({ 'agent-type': queue.name, ...labels })
    const short = all.map(([label, value]) => [label, value.slice(0, LABEL_CHARACTERS)])
    const alert: Alert = { name, severity, labels: Object.fromEntries(short), at: Date.now(), trace: null }
    log.warn({ alert }, 'alert raised')
    const published = publishAlert(redis, queue, alert).catch((error: unknown) =>
      log.warn({ alert: name, error: messageOf(error) }, 'alert not published'),
    )
    await Promise.race([published, delay(PUBLISH_MS, undefined, { ref: false })])
  }
}

/** Raises an alert for a start that failed in a way that starting again does not cure. */
export async function alertOfStart(raise: RaiseAlert, error: unknown): Promise<void> {
  const labels = { error: messageOf(error) }
  if (error instanceof HandlerError || error instanceof AgentBuildError)
    await raise('agent-load-failed', 'critical', labels)
  if (error instanceof LevelUnavailableError) await raise('level-unavailable', 'critical', labels)
}
