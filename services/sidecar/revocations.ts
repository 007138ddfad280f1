import type { AuditLog } from '#lib/audit'
import { type Cluster, secretKind } from '#lib/cluster'
import type { RevocationTarget } from '#lib/queue'
import type { Log } from '#lib/runtime'
import type { SecretReader } from '#lib/secrets'
import type { Attempts } from './attempts.ts'
import { NotFoundError } from './errors.ts'
import type { LiveAttempt } from './live-attempt.ts'
import type { Redactions } from './redactions.ts'

/** Traces that are remembered as revoked, the oldest forgotten first. */
const TRACES_KEPT = 10_000

/** An operator's word. */
export interface Revocation {
  target: RevocationTarget
  operator: string
  /** Where it came from. */
  source?: string
  /** Attempts that hold what is revoked go on, without it. */
  keepRunning: boolean
}

/** A running attempt that a revocation concerns. */
export interface HitAttempt {
  agentType: string
  requestId: string
  attempt: number
  traceId?: string | undefined
  /** What it has used or leased. */
  secrets: string[]
}

export interface RevocationsOptions {
  cluster: Cluster
  attempts: Attempts
  reader: SecretReader
  redactions: Pick<Redactions, 'revoked'>
  audit: Pick<AuditLog, 'note'>
  /** Those that were revoked before the start. */
  revokedTraces: readonly string[]
  log: Log
}

/**
 * Ends access at an operator's word, whatever the attempts that have it are doing.
 * 1. From the first line on nothing more is given: caches are purged before any attempt is ended.
 * 2. An attempt that held it loses its grant, and its worker is told to abort it; or, kept running, loses its leases
 *    where it is no value that is revoked.
 * 3. It never waits for the audit log.
 */
export class Revocations {
  readonly #options: RevocationsOptions
  readonly #traces: Set<string>

  constructor(options: RevocationsOptions) {
    this.#options = options
    this.#traces = new Set(options.revokedTraces)
  }

  /** The running attempts that a revocation would concern. @throws NotFoundError */
  preview(target: RevocationTarget): HitAttempt[] {
    return this.#concerned(target).map(viewOf)
  }

  /** True for a trace of which nothing is granted any more. */
  isRevoked(trace: string | undefined): boolean {
    return trace !== undefined && this.#traces.has(trace)
  }

  /** The same target with the newest generation that is kept here, where it is a value of which none is named. */
  exact(target: RevocationTarget): RevocationTarget {
    if (!('secret' in target) || !this.#isValue(target)) return target
    return { ...target, generation: target.generation ?? this.#options.reader.newest(target.secret) }
  }

  /** Gives whom it concerned, and how many leases ended, when they have. @throws NotFoundError */
  async revoke({ target: named, operator, source, keepRunning }: Revocation) {
    const { audit, log, attempts, redactions } = this.#options
    const concerned = this.#concerned(named)
    const target = this.exact(named)
    this.#purge(target)
    const hit = concerned.map(viewOf)
    const isValue = this.#isValue(target)
    const ends = concerned.map(async (attempt) => {
      if (keepRunning) return isValue ? 0 : attempt.leases.end()
      redactions.revoked(attempt)
      return (await attempts.end(attempt.grant.id, 'revoked')) ?? 0
    })
    const facts = { ...factsOf(target), operator, keepRunning, attempts: concerned.length }
    log.warn(facts, 'revoked by an operator')
    void audit.note({
      ...facts,
      ...(source && { source }),
      action: 'revoke',
      outcome: 'allowed',
      reason: 'operator',
    })
    const revoked = await Promise.all(ends)
    return { attempts: hit, revokedLeases: revoked.reduce((sum, leases) => sum + leases, 0) }
  }

  #concerned(target: RevocationTarget): LiveAttempt[] {
    const { attempts, cluster } = this.#options
    if ('trace' in target) return attempts.list().filter((attempt) => attempt.traceId === target.trace)
    if ('agentType' in target) {
      if (!Object.hasOwn(cluster.agents, target.agentType))
        throw new NotFoundError('agent type', target.agentType)
      return attempts.list(target.agentType)
    }
    if (!Object.hasOwn(cluster.secrets, target.secret)) throw new NotFoundError('secret', target.secret)
    return attempts.list().filter(({ used }) => used.has(target.secret))
  }

  /** True for a secret that is read, not leased. */
  #isValue(target: RevocationTarget): boolean {
    return 'secret' in target && secretKind(this.#options.cluster.secrets[target.secret]!) === 'static'
  }

  #purge(target: RevocationTarget): void {
    const { reader } = this.#options
    if ('agentType' in target) reader.endType(target.agentType)
    if ('secret' in target && target.generation !== undefined) reader.revoke(target.secret, target.generation)
    if (!('trace' in target)) return
    this.#traces.add(target.trace)
    if (this.#traces.size > TRACES_KEPT) this.#traces.delete(this.#traces.values().next().value!)
  }
}

function viewOf({ grant, traceId, used }: LiveAttempt): HitAttempt {
  const { agentType, jobId: requestId, attempt } = grant
  return { agentType, requestId, attempt, traceId, secrets: [...used].toSorted() }
}

function factsOf(target: RevocationTarget) {
  if ('trace' in target) return { traceId: target.trace }
  if ('agentType' in target) return { agentType: target.agentType }
  const { secret, generation } = target
  return { secret, ...(generation === undefined ? {} : { generation }) }
}
