import { inSeconds } from './durations.ts'
import type { Reply } from './engine.ts'
import { describeAuth } from './tokens/token-replies.ts'
import type { WrapInfo } from './wrapping.ts'

/** A status and, unless it is empty, a JSON body. */
export interface Answer {
  status: number
  body?: unknown
}

/** Puts a reply into Vault's envelope, in which every key is always there. */
export function envelope(requestId: string, reply: Reply | undefined, wrapInfo?: WrapInfo): Answer {
  if (reply?.bare !== undefined) return { status: reply.status ?? 200, body: reply.bare }
  if (!wrapInfo && !hasContent(reply)) return { status: reply?.status ?? 204 }
  return {
    status: reply?.status ?? 200,
    body: {
      ...(reply?.alsoOnTop && reply.data),
      request_id: requestId,
      lease_id: reply?.lease?.id ?? '',
      renewable: reply?.lease?.renewable ?? false,
      lease_duration: reply?.lease ? inSeconds(reply.lease.ms) : 0,
      data: reply?.data ?? null,
      wrap_info: wrapInfo ?? null,
      warnings: reply?.warnings?.length ? reply.warnings : null,
      auth: reply?.auth ? describeAuth(reply.auth.entry, reply.auth.clientToken, reply.auth.leaseMs) : null,
    },
  }
}

function hasContent(reply: Reply | undefined): boolean {
  return Boolean(reply?.data ?? reply?.auth ?? reply?.lease ?? (reply?.warnings?.length || undefined))
}
