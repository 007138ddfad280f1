import { AuditAnchor, type AuditLog } from '#lib/audit'
import { noteHead, type QueueRef, type RaiseAlert, readHead } from '#lib/queue'
import type { Log } from '#lib/runtime'
import type { SidecarIdentity } from '#lib/secrets'
import type { Redis } from 'ioredis'

export interface AnchorParts {
  audit: AuditLog
  redis: Redis
  keys: QueueRef
  identity: SidecarIdentity
  raise: RaiseAlert
  log: Log
}

/** Tells operators while nothing can be recorded: no attempt gets a secret then. */
export const tellUnwritable = (raise: RaiseAlert) => (isFailing: boolean) =>
  void (isFailing ? raise('audit-unwritable', 'critical') : raise('audit-written-again', 'info'))

/**
 * Notes the head of the audit log in Redis and in Vault. When the file ends before the line that Redis knows, or with
 * another one, that is an alert and a line in the log, and the sidecar goes on: without it no attempt would get a secret.
 */
export async function anchorAudit({
  audit,
  redis,
  keys,
  identity,
  raise,
  log,
}: AnchorParts): Promise<AuditAnchor> {
  const { head } = audit
  const noted = await readHead(redis, keys)
  if (noted && (head.seq < noted.seq || (head.seq === noted.seq && head.hash !== noted.hash))) {
    await raise('audit-log-cut', 'critical', { lines: `${head.seq}`, 'lines-noted': `${noted.seq}` })
    await audit.note({ action: 'cut', outcome: 'failed', linesNoted: noted.seq, hashNoted: noted.hash })
  }
  const places = {
    redis: (now: typeof head) => noteHead(redis, keys, now),
    vault: (now: typeof head) => identity.noteAuditHead(now),
  }
  return AuditAnchor.open({ audit, places, log })
}
