import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { claimByName, serviceUidRange } from '#lib/context'
import { PermanentError } from '#lib/runtime'

/** Everything that `up` runs. */
export type ServiceName =
  | 'redis'
  | 'postgres'
  | 'vault'
  | 'traces'
  | 'models'
  | 'sidecar'
  | 'rotator'
  | 'producer'
  | 'console'
  | `worker-${string}`

/** Whom a service runs as. Its gid is its uid; no context is ever in one of the groups. */
export interface ServiceUser {
  uid: number
  gid: number
  /** What it may connect to: the groups of Redis and Postgres. */
  groups: number[]
}

/** Where blocks of uids are claimed: on the host, so that no two clusters share one. */
const CLAIMS = '/run/threadbound/services'
const BLOCK = 256
const FIXED = ['redis', 'postgres', 'vault', 'traces', 'models', 'sidecar', 'producer', 'console', 'rotator']
/** The first of the workers; the ones between are kept for services to come. */
const WORKERS_FROM = 32
const OF_REDIS = ['sidecar', 'producer', 'console', 'rotator']
const OF_POSTGRES = ['sidecar', 'vault']

/** There is no uid left, or there are more agent types than uids in a block. */
export class NoServiceUidsError extends PermanentError {
  override readonly name = 'NoServiceUidsError'
}

/**
 * The users of one cluster's services: a block of uids that is claimed by `mkdir` and is free again when the cluster is
 * gone. The names of workers are given by position, so a uid means nothing beyond the run; files change hands at start.
 */
export class ServiceUsers {
  /** The claim: to be removed when no process of the cluster is left. */
  readonly claim: string
  readonly #first: number
  readonly #workers: string[]

  private constructor(claim: string, first: number, workers: string[]) {
    this.claim = claim
    this.#first = first
    this.#workers = workers
  }

  /** @throws NoServiceUidsError */
  static claim(agentTypes: string[], claims = CLAIMS, range = serviceUidRange()): ServiceUsers {
    if (agentTypes.length > BLOCK - WORKERS_FROM)
      throw new NoServiceUidsError(
        `run by root, a cluster has at most ${BLOCK - WORKERS_FROM} agent types, each with a uid of its own; found ${agentTypes.length}`,
      )
    if (!range) throw new NoServiceUidsError('this user namespace maps too few uids: map at least 131072')
    mkdirSync(claims, { recursive: true, mode: 0o700 })
    const workers = agentTypes.map((agentType) => `worker-${agentType}`)
    for (let block = 0; range.first + (block + 1) * BLOCK - 1 <= range.last; block++) {
      const path = join(claims, String(block))
      if (claimByName(path)) return new ServiceUsers(path, range.first + block * BLOCK, workers)
    }
    throw new NoServiceUidsError(`every block of uids for services is in use: see ${claims}`)
  }

  of(service: ServiceName): ServiceUser {
    const uid = this.#uidOf(service)
    const isWorker = service.startsWith('worker-')
    const groups = [
      ...(isWorker || OF_REDIS.includes(service) ? [this.#uidOf('redis')] : []),
      ...(OF_POSTGRES.includes(service) ? [this.#uidOf('postgres')] : []),
    ]
    return { uid, gid: uid, groups }
  }

  #uidOf(service: string): number {
    const fixed = FIXED.indexOf(service)
    return this.#first + (fixed >= 0 ? fixed : WORKERS_FROM + this.#workers.indexOf(service))
  }
}
