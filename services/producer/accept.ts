import type { KeyObject } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { ApiKey } from '#lib/http'
import {
  DEFAULT_EXPIRY_MS,
  enqueue,
  hashJson,
  idempotentRequestId,
  ManifestError,
  newRequestId,
  type QueueScope,
  traceIdOf,
  verifyJob,
} from '#lib/queue'
import type { Clock, Log } from '#lib/runtime'
import type { ServedType, ServedTypes } from './agent-types.ts'
import { type InputCheck, inputCheck } from './input-check.ts'
import { type Origin, originOf, type Parent } from './origin.ts'
import { ProblemError } from './problem.ts'

/** What the producer works with. */
export interface Producer {
  scope: QueueScope
  types: ServedTypes
  redis: Redis
  signingKey: KeyObject
  publicKey: KeyObject
  clock: Clock
  log: Log
}

/** A request as a caller posts it, its shape already checked. */
export interface PostedRequest {
  agent: string
  input?: unknown
  idempotencyKey?: string | undefined
  metadata?: Record<string, string> | undefined
  parent?: Parent | undefined
}

export interface Accepted {
  id: string
  traceId: string | undefined
}

/**
 * Takes a request into its queue. What is refused has changed nothing.
 * @throws ProblemError
 */
export async function accept(producer: Producer, posted: PostedRequest, key: ApiKey): Promise<Accepted> {
  const { types, clock, log } = producer
  const target = types.get(posted.agent)
  const now = clock.now()
  const origin = await originOf({ ...producer, key, parent: posted.parent, target, now })
  const fault = (await checkFor(target))(posted.input)
  if (fault) throw new ProblemError('invalid-input', `${fault.field}: ${fault.why}`, { field: fault.field })
  const id = requestId(producer, posted, origin)
  const accepted = await add(producer, { target, posted, origin, id, now })
  const { tenant, caller } = origin
  log.info({ request: id, agentType: posted.agent, tenant, caller }, 'request accepted')
  return accepted
}

/** The input's check. A type whose schema nobody knows yet takes no requests: they could not be refused later. */
async function checkFor({ agentType, manifest }: ServedType): Promise<InputCheck> {
  const published = await manifest().catch((error: unknown) => {
    if (error instanceof ManifestError)
      throw notReady(agentType.name, 'published a schema that cannot be used')
    throw error
  })
  if (!published) throw notReady(agentType.name, 'is not ready yet')
  try {
    return inputCheck(published.input)
  } catch {
    throw notReady(agentType.name, 'published a schema that cannot be used')
  }
}

function notReady(agentType: string, why: string): ProblemError {
  return new ProblemError('not-ready', `the worker of agent "${agentType}" ${why}`, { retryAfterS: 1 })
}

/** Keys of callers and keys of calls between agents are apart, and those of a call belong to its parent. */
function requestId({ scope }: Producer, { agent, idempotencyKey }: PostedRequest, origin: Origin): string {
  if (idempotencyKey === undefined) return newRequestId(agent)
  const space = origin.parentId === undefined ? 'caller' : `call ${origin.parentId}`
  return idempotentRequestId(scope, {
    tenant: origin.tenant,
    agentType: agent,
    key: `${space} ${idempotencyKey}`,
  })
}

interface Addition {
  target: ServedType
  posted: PostedRequest
  origin: Origin
  id: string
  now: number
}

async function add(producer: Producer, { target, posted, origin, id, now }: Addition): Promise<Accepted> {
  const { tenant, caller, chain } = origin
  const job = await enqueue(target.queue, {
    signingKey: producer.signingKey,
    id,
    input: posted.input,
    metadata: posted.metadata ?? {},
    tenant,
    caller,
    chain,
    attempts: target.agentType.attempts,
    keepMs: target.agentType.memoryMaxAgeMs,
    createdAt: now,
    expiresAt: Math.min(now + DEFAULT_EXPIRY_MS, origin.expiresAt ?? Infinity),
  })
  if (posted.idempotencyKey === undefined) return { id, traceId: traceIdOf(job) }
  // BullMQ leaves a job whose id exists as it is: only what lies in the queue says whose it is.
  const kept = (await target.queue.getJob(id)) ?? job
  if (!isSameRequest(producer, target, { id, data: kept.data, input: posted.input }))
    throw new ProblemError(
      'idempotency-conflict',
      `idempotencyKey: it was used for another input, as request ${id}`,
      { field: 'idempotencyKey' },
    )
  return { id, traceId: traceIdOf(kept) }
}

function isSameRequest(
  { publicKey }: Producer,
  { agentType }: ServedType,
  { id, data, input }: { id: string; data: unknown; input: unknown },
): boolean {
  try {
    const found = verifyJob(publicKey, { id, agentType: agentType.name, data, acceptUnsigned: false, now: 0 })
    return hashJson(found.input) === hashJson(input)
  } catch {
    return false
  }
}
