import { messageOf } from '#lib/runtime'
import { GrantRefusedError } from '#lib/secrets'
import { isVaultError } from '#lib/vault'

/** An error as it is answered. */
export interface Failure {
  status: number
  type: string
  message: string
  retryAfterMs?: number | undefined
}

/** Every error that a context or worker can be told: its type, and the HTTP status that goes with it. */
const STATUS: Record<string, number> = {
  'bad-request': 400,
  'request-too-large': 400,
  'egress-refused': 403,
  'no-grant': 403,
  'not-allowed': 403,
  'secret-denied': 403,
  'secret-revoked': 403,
  'trace-revoked': 403,
  'attempt-ended': 403,
  'invalid-job': 403,
  unsigned: 403,
  forged: 403,
  expired: 403,
  'wrong-agent-type': 403,
  'not-found': 404,
  'secret-not-found': 404,
  'unknown-context': 404,
  'no-lease': 409,
  'lock-not-held': 409,
  'context-claimed': 409,
  'attempt-claimed': 409,
  'connection-bound': 409,
  'attempt-limit': 429,
  'call-rate': 429,
  'too-many-connections': 429,
  'too-many-grants': 429,
  'upstream-rate-limited': 429,
  'upstream-unauthorized': 502,
  'upstream-rejected': 502,
  'upstream-failed': 502,
  'response-too-large': 502,
  'secret-unusable': 502,
  'audit-unavailable': 503,
  'queue-unavailable': 503,
  'redaction-unavailable': 503,
  'secret-unavailable': 503,
  'upstream-timeout': 504,
}

/** Errors of other libs that carry no type, by their class. */
const TYPE: Record<string, string> = {
  SecretDeniedError: 'secret-denied',
  SecretNotFoundError: 'secret-not-found',
  SecretMalformedError: 'secret-unusable',
  SecretRevokedError: 'secret-revoked',
  SecretWipedError: 'secret-unavailable',
  SecretUnavailableError: 'secret-unavailable',
  IdentityLostError: 'secret-unavailable',
  LeasesEndedError: 'attempt-ended',
  AuditUnavailableError: 'audit-unavailable',
}

/** The answer for an error. One that nobody foresaw says nothing of itself: it may hold anything. */
export function failureOf(error: unknown): Failure {
  const type = typeOf(error)
  if (!type || !Object.hasOwn(STATUS, type))
    return { status: 503, type: 'sidecar-failed', message: 'the sidecar failed; its log says how' }
  const { retryAfterMs } = error as { retryAfterMs?: number }
  return { status: STATUS[type]!, type, message: messageFor(error, type), retryAfterMs }
}

function typeOf(error: unknown): string | undefined {
  if (error instanceof GrantRefusedError) return error.reason
  if (isVaultError(error)) return error.kind === 'denied' ? 'secret-denied' : 'secret-unavailable'
  if (!(error instanceof Error)) return undefined
  if ('type' in error && typeof error.type === 'string') return error.type
  if (Object.hasOwn(TYPE, error.name)) return TYPE[error.name]
  return isRedisTrouble(error) ? 'queue-unavailable' : undefined
}

function messageFor(error: unknown, type: string): string {
  if (type === 'queue-unavailable') return 'the lock cannot be checked: Redis does not answer'
  if (isVaultError(error))
    return type === 'secret-denied' ? 'Vault refuses this agent type' : 'Vault does not answer'
  return messageOf(error)
}

const isRedisTrouble = ({ name, message }: Error) =>
  name === 'MaxRetriesPerRequestError' ||
  message === 'Command timed out' ||
  /connection is closed|ECONNREFUSED|ENOENT/i.test(message)
