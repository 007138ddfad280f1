import { PermanentError } from '#lib/runtime'

/** A request came over a context's connection while that context has no grant: before its attempt, or after. */
export class NoGrantError extends PermanentError {
  override readonly name = 'NoGrantError'
  readonly type = 'no-grant'
  constructor() {
    super('this context has no grant')
  }
}

/** The connection's role may not ask this, or there is nothing at this address. */
export class NoRouteError extends PermanentError {
  override readonly name = 'NoRouteError'
  readonly type = 'not-found'
  constructor(method: string, path: string) {
    super(`${method} ${path.slice(0, 100)} is nothing that this connection can ask for`)
  }
}

/** The agent type may not use the secret, or not in this way. */
export class NotUsableError extends PermanentError {
  override readonly name = 'NotUsableError'
  readonly type = 'not-allowed'
}

/** A relay was asked for before its lease. */
export class NoLeaseError extends PermanentError {
  override readonly name = 'NoLeaseError'
  readonly type = 'no-lease'
  constructor(secret: string) {
    super(`lease "${secret}" first: a connection goes with the credentials of a lease`)
  }
}

/** The worker does not hold BullMQ's lock on the job. */
export class LockNotHeldError extends PermanentError {
  override readonly name = 'LockNotHeldError'
  readonly type = 'lock-not-held'
  constructor(jobId: string) {
    super(`the lock on job "${jobId}" is not held with this token`)
  }
}

/** As many attempts have a grant as the agent type may run at once. */
export class TooManyGrantsError extends Error {
  override readonly name = 'TooManyGrantsError'
  readonly type = 'too-many-grants'
  constructor(agentType: string, limit: number) {
    super(`${limit} attempts of "${agentType}" have a grant, which is its max-concurrency`)
  }
}

/** The attempt has ended: what was under way for it is cut. */
export class AttemptEndedError extends PermanentError {
  override readonly name = 'AttemptEndedError'
  readonly type = 'attempt-ended'
  constructor(reason: string) {
    super(`the attempt has ended (${reason})`)
  }
}

/** The worker does not confirm that it asks before anything leaves: so no value enters the context. */
export class RedactionUnavailableError extends Error {
  override readonly name = 'RedactionUnavailableError'
  readonly type = 'redaction-unavailable'
  constructor() {
    super('the worker has not confirmed that it redacts what this context says, so it is handed no value')
  }
}

/** An operator named an agent type or a secret that the cluster file does not have. */
export class NotFoundError extends PermanentError {
  override readonly name = 'NotFoundError'
  readonly type = 'not-found'
  constructor(what: string, name: string) {
    super(`no ${what} ${JSON.stringify(name)} in the cluster file`)
  }
}

/** An operator has revoked the trace that the job is of. */
export class TraceRevokedError extends PermanentError {
  override readonly name = 'TraceRevokedError'
  readonly type = 'trace-revoked'
  constructor() {
    super('an operator has revoked this trace: nothing of it is granted any more')
  }
}
