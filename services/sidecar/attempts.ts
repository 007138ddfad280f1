import { context } from '@opentelemetry/api'
import { EventEmitter, on } from 'node:events'
import type { Socket } from 'node:net'
import type { AuditLog } from '#lib/audit'
import type { Clock, Log } from '#lib/runtime'
import { GrantTable } from '#lib/secrets'
import { contextOf } from '#lib/telemetry'
import { BROKER_CONNECTIONS } from '#lib/wire'
import type { AttemptClaim, LiveAttempt } from './live-attempt.ts'

/** How long after its deadline an attempt that nobody ended loses its grant. */
const GRACE_MS = 1000

/** How long a grant waits for the connections of its context, whose first lines it may have overtaken. */
const JOIN_MS = 2000

/** Why a grant ended. */
export type EndReason =
  | 'released'
  | 'context-gone'
  | 'worker-gone'
  | 'timeout'
  | 'superseded'
  | 'lock-lost'
  | 'not-recorded'
  | 'revoked'
  | 'sidecar-stopping'

export interface AttemptsOptions {
  audit: AuditLog
  clock: Clock
  log: Log
}

/**
 * The attempts that have a grant, and their end.
 * 1. An end comes from the worker, from the last connection of the context, from the worker's connection, from a lock that
 *    is lost, from time, or from the sidecar's stop; whichever is first ends everything, and the others find nothing.
 * 2. At the end, calls and relays are cut and the context's connections closed before leases are revoked.
 * 3. An end never waits for the audit log.
 */
export class Attempts implements AsyncDisposable {
  readonly table = new GrantTable<Socket, AttemptClaim>()
  readonly #options: AttemptsOptions
  readonly #live = new Map<string, { attempt: LiveAttempt; worker: Socket; timer: AbortController }>()
  #count = 0
  readonly #ending = new Map<string, Promise<number>>()
  readonly #joined = new EventEmitter<{ joined: [] }>().setMaxListeners(0)

  constructor(options: AttemptsOptions) {
    this.#options = options
  }

  /** How many attempts were taken in so far. */
  get count(): number {
    return this.#count
  }

  /** Takes an attempt in; its worker's connection and its deadline are watched from now on. */
  add(attempt: LiveAttempt, worker: Socket): void {
    this.#count++
    const timer = new AbortController()
    this.#live.set(attempt.grant.id, { attempt, worker, timer })
    const { clock } = this.#options
    clock.sleep(Math.max(0, attempt.grant.deadline + GRACE_MS - clock.now()), timer.signal).then(
      () => this.end(attempt.grant.id, 'timeout'),
      () => {},
    )
  }

  /** A connection says that it belongs to a context. @throws GrantRefusedError */
  contextOpened(contextId: string, connection: Socket, agentType: string): void {
    this.table.bind(contextId, connection, agentType)
    this.#joined.emit('joined')
  }

  /** Resolves when all connections of a context are there, or it is not worth waiting for them any longer. */
  async joined(contextId: string): Promise<void> {
    if (this.table.count(contextId) >= BROKER_CONNECTIONS) return
    const late = AbortSignal.timeout(JOIN_MS)
    const others = on(this.#joined, 'joined', { signal: late })
    try {
      for await (const _ of others) if (this.table.count(contextId) >= BROKER_CONNECTIONS) return
    } catch (error) {
      if (!late.aborted) throw error
    }
  }

  /** The attempt that a context's connection asks for. */
  of(connection: Socket): LiveAttempt | undefined {
    const grant = this.table.grantOf(connection)
    return grant && this.#live.get(grant.id)?.attempt
  }

  /** Live attempts of an agent type, or all. */
  list(agentType?: string): LiveAttempt[] {
    const all = [...this.#live.values()].map(({ attempt }) => attempt)
    return agentType === undefined ? all : all.filter(({ grant }) => grant.agentType === agentType)
  }

  /** A context's connection is gone. */
  contextClosed(connection: Socket): void {
    const grant = this.table.unbind(connection)
    if (grant) void this.end(grant.id, 'context-gone')
  }

  /** A worker's connection is gone, and with it every grant that was asked for on it. */
  workerClosed(connection: Socket): void {
    for (const [id, { worker }] of this.#live) if (worker === connection) void this.end(id, 'worker-gone')
  }

  /** Ends a grant. Gives the number of revoked leases; undefined when there is no such grant. Never throws. */
  end(grantId: string, reason: EndReason): Promise<number> | undefined {
    const live = this.#live.get(grantId)
    if (!live) return this.#ending.get(grantId)
    this.#live.delete(grantId)
    live.timer.abort()
    const connections = this.table.connectionsOf(grantId)
    this.table.end(grantId)
    live.attempt.abort(reason)
    for (const connection of connections) connection.destroy()
    const ending = this.#revoke(live.attempt, reason).finally(() => this.#ending.delete(grantId))
    this.#ending.set(grantId, ending)
    return ending
  }

  /** Ends every grant and waits for the revocations. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#live.keys()) void this.end(id, 'sidecar-stopping')
    await Promise.all(this.#ending.values())
  }

  async #revoke(attempt: LiveAttempt, reason: EndReason): Promise<number> {
    const { audit, log } = this.#options
    const revoked = await context.with(contextOf(attempt.grant.traceparent), () => attempt.leases.end())
    const { calls } = attempt.budget
    const { jobId, agentType } = attempt.grant
    log.info(
      { agentType, requestId: jobId, attempt: attempt.grant.attempt, reason, revoked, calls },
      'grant ended',
    )
    void audit.note({
      ...attempt.facts(),
      action: 'revoke',
      outcome: 'allowed',
      reason,
      revokedLeases: revoked,
      calls,
      denials: attempt.denials,
    })
    return revoked
  }
}
