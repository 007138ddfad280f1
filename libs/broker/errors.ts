import { PermanentError } from '#lib/runtime'

/** The request is not one that the secret's egress rules allow. Says which part is wrong, never a value. */
export class EgressRefusedError extends PermanentError {
  override readonly name = 'EgressRefusedError'
  readonly type = 'egress-refused'
}

/** The request is malformed. Names the field and what was expected. */
export class BadBrokerRequestError extends PermanentError {
  override readonly name = 'BadBrokerRequestError'
  readonly type = 'bad-request'
}

/** The attempt has used what one attempt may use: calls, or bytes. */
export class AttemptLimitError extends PermanentError {
  override readonly name = 'AttemptLimitError'
  readonly type = 'attempt-limit'
}

/** The attempt calls faster than one attempt may. */
export class CallRateError extends Error {
  override readonly name = 'CallRateError'
  readonly type = 'call-rate'
  readonly retryAfterMs: number
  constructor(retryAfterMs: number) {
    super(`the attempt calls too fast; wait ${Math.ceil(retryAfterMs)} ms`)
    this.retryAfterMs = retryAfterMs
  }
}

/** Three relays or streams of the attempt are open: a fourth would leave no connection for small requests. */
export class TooManyConnectionsError extends Error {
  override readonly name = 'TooManyConnectionsError'
  readonly type = 'too-many-connections'
  constructor(limit: number) {
    super(`at most ${limit} database connections and streams may be open at once; end one first`)
  }
}

/** A body is longer than the broker carries. */
export class BodyTooLargeError extends PermanentError {
  override readonly name = 'BodyTooLargeError'
  readonly type: 'request-too-large' | 'response-too-large'
  constructor(of: 'request' | 'response', limitBytes: number) {
    super(`the ${of} body is over ${limitBytes} bytes`)
    this.type = `${of}-too-large`
  }
}

/** The value of a secret cannot stand in a header. The value is not repeated. */
export class UnusableSecretError extends PermanentError {
  override readonly name = 'UnusableSecretError'
  readonly type = 'secret-unusable'
  constructor() {
    super('the secret holds characters that no header can carry; expected printable ASCII without spaces')
  }
}

/** What became of a call to a service outside. */
export type UpstreamFailure =
  | 'upstream-unauthorized'
  | 'upstream-rate-limited'
  | 'upstream-rejected'
  | 'upstream-failed'
  | 'upstream-timeout'

/** The service outside refused, failed or did not answer. Its own text is not repeated, except for a rejection, masked. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly type: UpstreamFailure
  /** How long the service asks to wait. */
  readonly retryAfterMs: number | undefined
  constructor(
    type: UpstreamFailure,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number } = {},
  ) {
    super(message, options)
    this.type = type
    this.retryAfterMs = options.retryAfterMs
  }
}
