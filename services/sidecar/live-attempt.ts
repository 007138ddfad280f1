import type { Context } from '@opentelemetry/api'
import { trace } from '@opentelemetry/api'
import type { Cluster } from '#lib/cluster'
import { AttemptBudget } from '#lib/broker'
import type { AuditEvent } from '#lib/audit'
import type { Grant, GrantClaim, LeaseSet } from '#lib/secrets'
import { contextOf } from '#lib/telemetry'
import { AttemptEndedError } from './errors.ts'
import type { Redactor } from './redactor.ts'

/** What the sidecar knows of an attempt when it gives the grant. */
export interface AttemptClaim extends GrantClaim {
  tenant: string
  caller: string
  traceparent: string
  /** What its job is locked with: a sign of life. */
  lockToken: string
  /** Where the worker is that asked for the grant. */
  source: string
  /** Epoch milliseconds: the attempt's time is over then. */
  deadline: number
  /** What its worker calls its connection for redaction; empty: it has none. */
  redaction: string
}

/** Denials of one attempt that are written to the audit log; more are only counted. The same for redactions and addresses. */
const DENIALS_WRITTEN = 20
/** An answer must be back in the context before its time is over: this part of what is left, at most a second. */
const RESERVE = 0.1

/** An attempt that has a grant: its leases, its budget, and the signal that ends all that it has under way. */
export class LiveAttempt {
  readonly grant: Grant<AttemptClaim>
  readonly agentType: Cluster['agents'][string]
  readonly leases: LeaseSet
  readonly budget = new AttemptBudget()
  /** Names of the secrets that were leased. */
  readonly leased = new Set<string>()
  /** Names of the secrets that were asked for and may be held, leased ones too. */
  readonly used = new Set<string>()
  /** Knows the values that its context was handed; undefined while there is none. */
  redactor: Redactor | undefined
  /** Resolves when its worker redacts what it says; undefined while no value was asked for. */
  handing: Promise<void> | undefined
  readonly #end = new AbortController()
  readonly #redacted = new Set<string>()
  readonly #dialled = new Set<string>()
  #denials = 0

  constructor(grant: Grant<AttemptClaim>, agentType: Cluster['agents'][string], leases: LeaseSet) {
    this.grant = grant
    this.agentType = agentType
    this.leases = leases
  }

  /** Aborts with an AttemptEndedError when the grant ends. */
  get signal(): AbortSignal {
    return this.#end.signal
  }

  /** How often the attempt was denied something. */
  get denials(): number {
    return this.#denials
  }

  /** Cuts what is under way. */
  abort(reason: string): void {
    this.#end.abort(new AttemptEndedError(reason))
  }

  /** Counts a denial; true while it should be written. */
  denied(): boolean {
    return ++this.#denials <= DENIALS_WRITTEN
  }

  /** Notes that a secret was found in what the attempt says; true when that should be written. */
  redacted(what: string): boolean {
    return isNew(this.#redacted, what)
  }

  /** Notes that an address was dialled for a secret; true when that should be written. */
  dialled(what: string): boolean {
    return isNew(this.#dialled, what)
  }

  /** A text that the attempt chose and we write down. */
  masked(text: string): string {
    return this.redactor?.text(text) ?? text
  }

  /** How long a call may take so that its error still reaches the agent. */
  callTimeoutMs(now: number): number {
    const left = Math.max(1, this.grant.deadline - now)
    return left - Math.min(1000, left * RESERVE)
  }

  /** Where spans of a request go: under the span that the context names if it is of this trace, else under the attempt's. */
  parentOf(traceparent: unknown): Context {
    const own = contextOf(this.grant.traceparent)
    const named = contextOf(traceparent)
    return traceIdOf(named) !== undefined && traceIdOf(named) === traceIdOf(own) ? named : own
  }

  get traceId(): string | undefined {
    return traceIdOf(contextOf(this.grant.traceparent))
  }

  /** Who asked, as the audit log says it. */
  facts(): Partial<AuditEvent> {
    const { agentType, jobId, attempt, contextId, tenant, caller, source } = this.grant
    const { traceId } = this
    return {
      agentType,
      requestId: jobId,
      attempt,
      context: contextId,
      tenant,
      caller,
      source,
      ...(traceId && { traceId }),
    }
  }
}

/** True for what was not seen yet, up to as many as are written. */
function isNew(seen: Set<string>, what: string): boolean {
  if (seen.has(what) || seen.size >= DENIALS_WRITTEN) return false
  seen.add(what)
  return true
}

const traceIdOf = (context: Context) => trace.getSpanContext(context)?.traceId
