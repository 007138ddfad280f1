import type { Reply } from '../engine.ts'
import { inSeconds } from '../durations.ts'
import { oneError, VaultRefusal } from '../errors.ts'
import type { Mount } from '../router.ts'
import type { TokenEntry } from '../tokens/token-entry.ts'
import { isoTime } from '../tokens/token-replies.ts'
import type { WrapInfo } from '../wrapping.ts'

/** Who asked, or what a login gave. Values are in clear here; devices hash them. */
export interface AuditAuth {
  client_token?: string
  accessor?: string
  [other: string]: unknown
}

/** One line of an audit device, in Vault's form. */
export interface AuditEntry {
  time: string
  type: 'request' | 'response'
  auth: AuditAuth
  request: AuditRequest
  response?: AuditResponse
  error?: string
}

interface AuditRequest {
  operation: string
  client_token?: string
  client_token_accessor?: string
  data?: Record<string, unknown>
  [other: string]: unknown
}

interface AuditResponse {
  auth?: AuditAuth
  data?: Record<string, unknown>
  wrap_info?: WrapInfo
  [other: string]: unknown
}

/** What is known of a request once it has been judged. */
export interface Audited {
  id: string
  now: number
  operation: string
  path: string
  data: ReadonlyMap<string, unknown>
  clientToken: string
  remoteAddress: string
  remotePort: number
  wrapTtlMs: number | undefined
  mount: Mount | undefined
  token: TokenEntry | undefined
  policyResults: { allowed: boolean; granting: readonly string[] } | undefined
  error: string | undefined
}

export function requestEntry(audited: Audited): AuditEntry {
  return {
    time: isoTime(audited.now),
    type: 'request',
    auth: authOf(audited),
    request: {
      id: audited.id,
      operation: audited.operation,
      ...mountOf(audited.mount),
      ...(audited.clientToken && { client_token: audited.clientToken }),
      ...(audited.token?.accessor && { client_token_accessor: audited.token.accessor }),
      namespace: { id: 'root' },
      path: audited.path,
      ...(audited.data.size > 0 && { data: Object.fromEntries(audited.data) }),
      remote_address: audited.remoteAddress,
      remote_port: audited.remotePort,
      ...(audited.wrapTtlMs && { wrap_ttl: inSeconds(audited.wrapTtlMs) }),
    },
    ...(audited.error !== undefined && { error: audited.error }),
  }
}

export function responseEntry(audited: Audited, reply: Reply | undefined, wrapInfo?: WrapInfo): AuditEntry {
  const data = reply?.bare === undefined ? reply?.data : { http_raw_body: JSON.stringify(reply.bare) }
  return {
    ...requestEntry(audited),
    type: 'response',
    response: {
      ...mountOf(audited.mount),
      ...(reply?.auth && {
        auth: { ...tokenOf(reply.auth.entry), client_token: reply.auth.clientToken },
      }),
      ...(reply?.lease && { secret: { lease_id: reply.lease.id } }),
      ...(data && { data }),
      ...(reply?.warnings?.length && { warnings: reply.warnings }),
      ...(wrapInfo && { wrap_info: wrapInfo }),
    },
  }
}

function authOf({ token, clientToken, policyResults }: Audited): AuditAuth {
  if (!token) return {}
  return {
    client_token: clientToken,
    ...tokenOf(token),
    ...(policyResults && {
      policy_results: {
        allowed: policyResults.allowed,
        ...(policyResults.granting.length > 0 && {
          granting_policies: policyResults.granting.map((name) => ({
            name,
            namespace_id: 'root',
            type: 'acl',
          })),
        }),
      },
    }),
  }
}

function tokenOf(token: TokenEntry): AuditAuth {
  return {
    ...(token.accessor && { accessor: token.accessor }),
    display_name: token.displayName,
    policies: token.policies,
    token_policies: token.policies,
    ...(token.meta && { metadata: token.meta }),
    token_type: token.kind,
    ...(token.ttlMs > 0 && { token_ttl: inSeconds(token.ttlMs) }),
    token_issue_time: isoTime(token.createdAt),
    ...(token.usesLeft > 0 && { remaining_uses: token.usesLeft }),
  }
}

function mountOf(mount: Mount | undefined) {
  if (!mount) return {}
  return {
    mount_point: mount.path,
    mount_type: mount.engine.type,
    mount_accessor: mount.accessor,
    mount_class: mount.path.startsWith('auth/') ? 'auth' : 'secret',
  }
}

/**
 * What an audit device writes in clear of an error: its kind. The text that a handler made can hold what was sent, so
 * it is in the data of the response, where it is hashed.
 */
export function errorInClear(error: unknown): string | undefined {
  if (error === undefined) return undefined
  if (!(error instanceof VaultRefusal)) return oneError('internal error')
  if (error.text === undefined) return undefined
  return error.status === 400 ? oneError('invalid request') : error.text
}
