/** What a caller can do about a failed call to Vault. */
export type VaultErrorKind =
  | 'denied' // the token's policies do not allow it, or the token is dead
  | 'notFound'
  | 'conflict' // check-and-set: someone else wrote first
  | 'sealed'
  | 'standby'
  | 'rateLimited'
  | 'timeout'
  | 'network'
  | 'locked' // login refused: too many bad logins, wait
  | 'badRequest'
  | 'server'

const RETRYABLE: ReadonlySet<VaultErrorKind> = new Set([
  'sealed',
  'standby',
  'rateLimited',
  'timeout',
  'network',
  'server',
])

/** Facts of a failed call. Nothing else of the request or the answer gets into the error. */
export interface VaultFailure {
  kind: VaultErrorKind
  /** Method and path, for example `GET kv/data/tb/demo/dev/openai-api-key`: names, never values. */
  operation: string
  /** HTTP status, when there was an answer. */
  status?: number | undefined
  /** One of Vault's known error texts, or the code of a network error: never free text. */
  reason?: string | undefined
  /** Default: whether the kind passes by itself (sealed, standby, rateLimited, timeout, network, server). */
  retryable?: boolean | undefined
  /** How long to wait at least: what the answer's Retry-After asked for. */
  retryAfterMs?: number | undefined
  /** True when Vault says that it has done nothing, so that any call may be sent again. */
  untouched?: boolean | undefined
  /** True when Vault was not asked, so that to ask again at once is in vain. */
  unasked?: boolean | undefined
}

/**
 * A call to Vault failed. Holds kind, status and path, and never a token, a header or a body: it is built from
 * {@link VaultFailure} alone and has no `cause`, because a transport's errors carry the request.
 */
export class VaultError extends Error {
  override readonly name = 'VaultError'
  readonly kind: VaultErrorKind
  readonly operation: string
  readonly retryable: boolean
  readonly status: number | undefined
  readonly reason: string | undefined
  readonly retryAfterMs: number | undefined
  readonly untouched: boolean
  readonly unasked: boolean

  constructor(failure: VaultFailure) {
    super(describe(failure))
    this.kind = failure.kind
    this.operation = failure.operation
    this.retryable = failure.retryable ?? RETRYABLE.has(failure.kind)
    this.status = failure.status
    this.reason = failure.reason
    this.retryAfterMs = failure.retryAfterMs
    this.untouched = failure.untouched === true
    this.unasked = failure.unasked === true
  }
}

/** True for a VaultError of one of these kinds. */
export function isVaultError(error: unknown, ...kinds: VaultErrorKind[]): error is VaultError {
  return error instanceof VaultError && (kinds.length === 0 || kinds.includes(error.kind))
}

function describe({ kind, operation, status, reason }: VaultFailure): string {
  return `vault: ${operation}: ${kind}${status ? ` (HTTP ${status})` : ''}${reason ? `: ${reason}` : ''}`
}
