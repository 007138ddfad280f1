import type { KeyObject } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { ApiKey } from '#lib/http'
import { lockKey, verifyJob } from '#lib/queue'
import { messageOf, PermanentError } from '#lib/runtime'
import type { ServedType, ServedTypes } from './agent-types.ts'
import { ProblemError } from './problem.ts'

/** Whom a new job belongs to. Never taken from the body alone. */
export interface Origin {
  tenant: string
  caller: string
  chain: string[]
  /** The job that called; absent for a request from outside. */
  parentId?: string
  /** A call ends no later than the job that made it. */
  expiresAt?: number
}

/** A worker's word about the job whose attempt calls another agent. */
export interface Parent {
  id: string
  job: unknown
}

export interface OriginOptions {
  key: ApiKey
  parent: Parent | undefined
  target: ServedType
  types: ServedTypes
  publicKey: KeyObject
  redis: Redis
  now: number
}

/**
 * Tenant, caller and caller chain of a new job: from the API key, or, for a worker's key, from the signed job that it
 * runs now.
 * @throws ProblemError `forbidden`
 */
export async function originOf(options: OriginOptions): Promise<Origin> {
  const { key, parent } = options
  if (key.agentType === undefined) {
    if (parent) throw forbidden('only the key of a worker may name a parent')
    return { tenant: key.tenant, caller: key.caller, chain: [] }
  }
  if (!parent) throw forbidden("a worker's key must name the parent job that calls")
  return await originOfCall(key.agentType, parent, options)
}

async function originOfCall(agentType: string, parent: Parent, options: OriginOptions): Promise<Origin> {
  const { types, target, redis } = options
  const calling = types.find(agentType)
  if (!calling) throw forbidden(`the key's agent type "${agentType}" is not in this cluster`)
  if (!calling.agentType.mayCall.includes(target.agentType.name))
    throw forbidden(`agent type "${agentType}" may not call "${target.agentType.name}" (may-call)`)
  const job = verifiedParent(calling, parent, options)
  // A worker that is broken into can call for the jobs it runs, not for every envelope it has ever seen.
  if ((await redis.exists(lockKey(calling.ref, parent.id))) === 0)
    throw forbidden('no attempt of the parent job is running')
  return {
    tenant: job.tenant,
    caller: job.caller,
    chain: [...job.chain, agentType],
    parentId: parent.id,
    ...(job.expiresAt === undefined ? {} : { expiresAt: job.expiresAt }),
  }
}

function verifiedParent(calling: ServedType, { id, job }: Parent, { publicKey, now }: OriginOptions) {
  const { name, acceptUnsigned } = calling.agentType
  try {
    return verifyJob(publicKey, { id, agentType: name, data: job, acceptUnsigned, now })
  } catch (error) {
    if (error instanceof PermanentError) throw forbidden(messageOf(error))
    throw error
  }
}

const forbidden = (why: string) => new ProblemError('forbidden', `parent: ${why}`, { field: 'parent' })
