import type { Duplex } from 'node:stream'
import type { AgentModel } from './model.ts'

/** What agent code is given: everything that reaches outside the context goes through it. */
export interface AgentContext {
  /** The request that this attempt serves. */
  readonly request: {
    readonly id: string
    /** From 1. */
    readonly attempt: number
    readonly agentType: string
    readonly tenant: string
    readonly metadata: Readonly<Record<string, string>>
  }
  /** Aborts when the attempt runs out of time or is cancelled; half a second later the context is killed. */
  readonly signal: AbortSignal
  /** Structured log lines, stamped with the request's ids by the worker. */
  readonly log: AgentLog
  /** Tells the caller how far the attempt is (any JSON). */
  progress(value: unknown): void
  /** Streams a JSON value to the caller. */
  emit(value: unknown): void
  readonly model: AgentModel
  /** `fetch` for hosts with an `egress` rule; the sidecar adds the key. Give it to an SDK as its `fetch`. */
  fetch(url: string | URL, init?: RequestInit): Promise<Response>
  readonly secrets: AgentSecrets
  /** Runs another agent type (listed in `may-call`) and gives its result. @throws AgentCallError */
  call(agentType: string, input: unknown): Promise<unknown>
  /** A singleton's JSON document that lasts across requests of one tenant; assign to change it. Undefined elsewhere. */
  memory: unknown
  /** Runs `fn` inside a span of the request's trace. */
  span<T>(name: string, fn: () => Promise<T> | T): Promise<T>
}

/** Log lines of an agent: facts as an object, then a constant message. They count against the attempt's output. */
export interface AgentLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** The secrets that the agent type lists. @throws BrokerError from both, `not-allowed` for any other name */
export interface AgentSecrets {
  /** The value of a secret with `deliver: value`. It counts as exposed from then on: prefer `fetch`. */
  get(name: string): Promise<string>
  /** A lease that belongs to this attempt alone and is revoked at its end. */
  lease(name: string): Promise<AgentLease>
}

/** A database user of this attempt's own. */
export interface AgentLease {
  readonly credentials: { user: string; password: string; database: string }
  /** From the lease on; renewed while the attempt runs. */
  readonly ttlMs: number
  /** A byte stream to the declared database and nowhere else. At most three are open at once. */
  connect(): Duplex
}
