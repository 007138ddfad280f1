import { VaultError, type VaultErrorKind } from './errors.ts'
import type { TransportReply } from './transport.ts'

/**
 * The error texts of Vault and OpenBao that are let through. Any other text stays out: some of them quote what was
 * sent (a database connection's failure quotes its address with the password).
 */
const KNOWN_REASONS = [
  'Vault is sealed',
  'check-and-set parameter did not match the current version',
  'check-and-set parameter required for this call',
  'invalid role or secret ID',
  'wrapping token is not valid or does not exist',
  'token policies',
  'unknown role',
  'lease not found',
  'invalid lease',
  'lease is not renewable',
  'invalid accessor',
  'bad token',
  'invalid token',
  'permission denied',
  'path is already in use',
  'no handler for route',
  'failed to parse policy',
  'rate limit quota exceeded',
  'lease count quota exceeded',
  'Upgrading from non-versioned to versioned data',
  'unsupported path',
  'unsupported operation',
] as const

/** The error for an answer that is no success. `login`: a 403 there means locked out, not a policy. */
export function failureOf(operation: string, reply: TransportReply, login: boolean): VaultError {
  const reason = knownReason(reply.body)
  const kind = kindOf(reply.status, reason, login)
  const { status, retryAfterMs } = reply
  if (reason?.startsWith('Upgrading')) return upgrading(operation, status, reason)
  return new VaultError({ kind, operation, status, reason, retryAfterMs })
}

function kindOf(status: number, reason: string | undefined, login: boolean): VaultErrorKind {
  if (status === 400 && reason?.startsWith('check-and-set')) return 'conflict'
  if (status === 403) return login ? 'locked' : 'denied'
  if (status === 404) return 'notFound'
  if (status === 429) return 'rateLimited'
  if (status === 307 || (status >= 472 && status <= 474)) return 'standby'
  if (status === 503) return 'sealed'
  return status >= 400 && status < 500 && status !== 412 ? 'badRequest' : 'server'
}

/** A fresh KV v2 mount refuses everything for its first seconds (vault-plugin-secrets-kv issue 75); that passes. */
function upgrading(operation: string, status: number, reason: string): VaultError {
  const passes = { retryable: true, untouched: true, retryAfterMs: 1500 }
  return new VaultError({ kind: 'badRequest', operation, status, reason, ...passes })
}

function knownReason(body: unknown): string | undefined {
  const errors = (body as { errors?: unknown } | null | undefined)?.errors
  if (!Array.isArray(errors)) return undefined
  const text = errors.filter((line) => typeof line === 'string').join('\n')
  return KNOWN_REASONS.find((reason) => text.includes(reason))
}
