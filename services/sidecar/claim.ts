import type { KeyObject } from 'node:crypto'
import type { Socket } from 'node:net'
import { trace } from '@opentelemetry/api'
import type { AuditLog } from '#lib/audit'
import { type AgentType, type Cluster, secretKind, usableSecrets } from '#lib/cluster'
import { type VerifiedJob, verifyJob } from '#lib/queue'
import type { Clock, Log } from '#lib/runtime'
import { LeaseSet, type LeaseSetOptions, type SidecarIdentity } from '#lib/secrets'
import { contextOf } from '#lib/telemetry'
import type { GrantRequest } from '#lib/wire'
import * as z from 'zod'
import type { Attempts } from './attempts.ts'
import { LockNotHeldError, TooManyGrantsError, TraceRevokedError } from './errors.ts'
import { parseBody } from './exchange.ts'
import { failureOf } from './failure.ts'
import { LiveAttempt } from './live-attempt.ts'
import type { IsLockHeld } from './lock-watch.ts'
import type { Revocations } from './revocations.ts'
import { sourceOf } from './source.ts'

const GrantBody = z.strictObject({
  context: z.string().min(1).max(100),
  jobId: z.string().min(1).max(200),
  attempt: z.int().min(1).max(1_000_000),
  lockToken: z.string().min(1).max(200),
  job: z.unknown(),
  traceparent: z.string().max(64),
  timeoutMs: z.number().positive(),
  redaction: z.string().min(1).max(100).exactOptional(),
})

export interface ClaimOptions {
  cluster: Cluster
  attempts: Attempts
  isLockHeld: IsLockHeld
  publicKey: KeyObject
  identity: SidecarIdentity
  vault: LeaseSetOptions['vault']
  names: LeaseSetOptions['names']
  revocations: Pick<Revocations, 'isRevoked'>
  audit: AuditLog
  clock: Clock
  /** What a producer says of time is compared with. */
  wallClock: Clock
  log: Log
}

/** Who asks: a worker of this agent type, over this connection. */
export interface ClaimingWorker {
  agentType: string
  connection: Socket
}

/**
 * Gives attempts their grants (I5): only to a worker of the type, for a live lock, for a job that a producer signed (or an
 * unsigned one where the type accepts those), once per attempt, to a context that has entered no attempt yet.
 */
export class Claims {
  readonly #options: ClaimOptions

  constructor(options: ClaimOptions) {
    this.#options = options
  }

  /** Gives the grant's id. Refusals are audited. @throws every refusal as an error with a `type` */
  async claim(body: unknown, worker: ClaimingWorker): Promise<string> {
    const request: GrantRequest = parseBody(GrantBody, body)
    try {
      const type = this.#options.cluster.agents[worker.agentType]!
      await this.#checkLock(request, worker)
      const job = this.#verify(request, type)
      return await this.#grant(request, { type, job, worker })
    } catch (error) {
      this.#note(request, worker, failureOf(error).type)
      throw error
    }
  }

  async #checkLock({ jobId, lockToken }: GrantRequest, { agentType }: ClaimingWorker): Promise<void> {
    if (!(await this.#options.isLockHeld(agentType, { jobId, lockToken }))) throw new LockNotHeldError(jobId)
  }

  #verify({ jobId, job }: GrantRequest, { name, acceptUnsigned }: AgentType): VerifiedJob {
    const { publicKey, wallClock } = this.#options
    const now = wallClock.now()
    return verifyJob(publicKey, { id: jobId, agentType: name, data: job, acceptUnsigned, now })
  }

  async #grant(request: GrantRequest, found: { type: AgentType; job: VerifiedJob; worker: ClaimingWorker }) {
    const { attempts, revocations, clock, audit, log } = this.#options
    const { type, job, worker } = found
    const leases = await this.#leases(request, type)
    this.#endEarlier(request, type)
    this.#refuseMore(type)
    await attempts.joined(request.context)
    this.#refuseMore(type) // others did not wait
    if (revocations.isRevoked(traceIdOf(request))) throw new TraceRevokedError()
    const grant = attempts.table.claim({
      agentType: type.name,
      contextId: request.context,
      jobId: request.jobId,
      attempt: request.attempt,
      tenant: job.tenant,
      caller: job.caller,
      traceparent: request.traceparent,
      lockToken: request.lockToken,
      source: sourceOf(worker.connection),
      deadline: clock.now() + Math.min(request.timeoutMs, type.timeoutMs),
      redaction: request.redaction ?? '',
    })
    const attempt = new LiveAttempt(grant, type, leases)
    attempts.add(attempt, worker.connection)
    if (worker.connection.destroyed) attempts.workerClosed(worker.connection)
    // Not waited for: whatever it gives access to is recorded by itself before it is given, further down in the same log.
    const facts = { ...attempt.facts(), action: 'grant', outcome: 'allowed', signed: job.signed } as const
    audit.record(facts).catch(() => void attempts.end(grant.id, 'not-recorded'))
    log.info({ agentType: type.name, requestId: grant.jobId, attempt: grant.attempt }, 'grant given')
    return grant.id
  }

  #refuseMore({ name, maxConcurrency }: AgentType): void {
    if (this.#options.attempts.list(name).length >= maxConcurrency)
      throw new TooManyGrantsError(name, maxConcurrency)
  }

  /** An attempt's grant dies when a later attempt of its job begins: its worker has lost the lock. */
  #endEarlier({ jobId, attempt }: GrantRequest, type: AgentType): void {
    for (const { grant } of this.#options.attempts.list(type.name))
      if (grant.jobId === jobId && grant.attempt < attempt)
        void this.#options.attempts.end(grant.id, 'superseded')
  }

  #leases({ jobId, attempt }: GrantRequest, type: AgentType): Promise<LeaseSet> {
    const { identity, vault, names, clock, log, cluster } = this.#options
    return LeaseSet.open({
      identity,
      vault,
      names,
      agentType: type.name,
      timeoutMs: type.timeoutMs,
      databases: databasesOf(cluster, type.name),
      meta: { request: jobId, attempt: String(attempt) },
      clock,
      log,
    })
  }

  #note(request: GrantRequest, { agentType, connection }: ClaimingWorker, reason: string): void {
    const { audit, log } = this.#options
    const { context, jobId, attempt, traceparent } = request
    const traceId = traceIdOf({ traceparent })
    log.warn({ agentType, requestId: jobId, attempt, reason }, 'grant refused')
    void audit.note({
      action: 'deny',
      outcome: 'denied',
      what: 'grant',
      agentType,
      context,
      requestId: jobId,
      attempt,
      reason,
      source: sourceOf(connection),
      ...(traceId && { traceId }),
    })
  }
}

const traceIdOf = ({ traceparent }: Pick<GrantRequest, 'traceparent'>) =>
  trace.getSpanContext(contextOf(traceparent))?.traceId

function databasesOf(cluster: Cluster, agentType: string): Record<string, string> {
  const dynamic = usableSecrets(cluster, agentType)
    .map((name) => cluster.secrets[name]!)
    .filter((secret) => secretKind(secret) === 'database')
  return Object.fromEntries(dynamic.map(({ name, connect }) => [name, connect!.database]))
}
