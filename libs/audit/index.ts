/**
 * The record of who used which secret: append-only JSON lines, each chained to the one before.
 * A1: `record` resolves once the line is on disk: what gives access waits for it. `note` is for what ends access.
 * A2: its head is noted in other places: see AuditAnchor, verifyAudit.
 * A3: no event holds anything but plain values, and never a secret's.
 */
export { type AnchorOptions, AuditAnchor } from './anchor.ts'
export { type AuditHead, AuditLog, type AuditLogOptions, AuditUnavailableError } from './audit-log.ts'
export { type AuditEvent, AuditEventError } from './event.ts'
export { type AuditFilter, readAudit, type WrittenEvent } from './read.ts'
export { type AuditVerdict, type NotedElsewhere, verifyAudit } from './verify.ts'
