import { createHash } from 'node:crypto'
import { randomUUIDv7 } from './uuid.ts'

/** What keeps the queues of one cluster and environment apart from all others. */
export interface QueueScope {
  cluster: string
  environment: string
}

/** Where the queue of an agent type lies in Redis. Every key of it carries the same hash tag, so it lives in one slot. */
export interface QueueRef {
  /** BullMQ's queue name: the agent type. */
  readonly name: string
  /** BullMQ's prefix: `{tb:<cluster>:<environment>:<agentType>}`. */
  readonly prefix: string
  /** The full key of a suffix; ours begin with `tb:`, all others are BullMQ's. */
  readonly key: (suffix: string) => string
}

/** The queue of an agent type. Injective: no two of (cluster, environment, agent type) share a key, as names hold no colon. */
export function queueOf(scope: QueueScope, agentType: string): QueueRef {
  const prefix = `{tb:${scope.cluster}:${scope.environment}:${agentType}}`
  return { name: agentType, prefix, key: (suffix) => `${prefix}:${agentType}:${suffix}` }
}

/** Where a service keeps what belongs to no agent type: no name of one begins with a dot, so the two never meet. */
export function serviceKeys(scope: QueueScope, service: string): QueueRef {
  return queueOf(scope, `.${service}`)
}

/** A new request id, `<agentType>.<uuid v7 without dashes>`: unique, ordered by time, and a legal BullMQ job id. */
export function newRequestId(agentType: string): string {
  return `${agentType}.${randomUUIDv7()}`
}

/**
 * The request id that an idempotency key stands for: the same for the same (scope, tenant, agent type, key) and for
 * nothing else. Shaped as a uuid v8 (RFC 9562, section 5.8), made of a SHA-256.
 */
export function idempotentRequestId(
  scope: QueueScope,
  of: { tenant: string; agentType: string; key: string },
): string {
  const parts = ['request', scope.cluster, scope.environment, of.tenant, of.agentType, of.key]
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return `${of.agentType}.${hex.slice(0, 12)}8${hex.slice(13, 16)}8${hex.slice(17, 32)}`
}

/** The agent type that a request id names; undefined when it is no id of ours. */
export function agentTypeOf(requestId: string): string | undefined {
  return /^([a-z][a-z0-9-]{0,40})\.[0-9a-f]{32}$/.exec(requestId)?.[1]
}

/** BullMQ's lock of a job: holds the token of the worker that runs it, and expires with its life sign. */
export function lockKey(queue: QueueRef, jobId: string): string {
  return queue.key(`${jobId}:lock`)
}
