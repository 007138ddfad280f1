import { PermanentError } from '#lib/runtime'

const MAX_TEXT = 2048

/** One fact for the record. Only what has a name here, or is a plain value, can be written; never a secret's value. */
export interface AuditEvent {
  /** What was done: `grant`, `read`, `model`, `egress`, `dialled`, `lease`, `leased`, `relay`, `revoke`, `deny`, `redact`, or an operator's act. */
  action: string
  outcome: 'allowed' | 'denied' | 'failed'
  agentType?: string
  requestId?: string
  attempt?: number
  context?: string
  traceId?: string
  tenant?: string
  caller?: string
  /** Who asked, as the kernel says it: `<host> uid <user> pid <process>`. */
  source?: string
  /** Of what could not be written when it happened: when that was. */
  happened?: string
  /** The secret's name. */
  secret?: string
  generation?: number
  /** The id under which Vault's own audit log has the request that this came from. */
  vaultRequest?: string | undefined
  /** Host and port that a secret is declared for, and the address behind it that was dialled. */
  to?: string
  dialled?: string
  /** Whatever else: plain values alone. */
  [field: string]: string | number | boolean | undefined
}

/** The event holds something that is no plain value; it is not written. */
export class AuditEventError extends PermanentError {
  override readonly name = 'AuditEventError'
  constructor(field: string) {
    super(`audit event: field "${field}" is no text, number or boolean`)
  }
}

/** The event's fields without the undefined ones, long texts clipped: an agent cannot fill the disk. @throws AuditEventError */
export function plainFields(event: AuditEvent): Record<string, string | number | boolean> {
  const fields: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(event)) {
    if (value === undefined) continue
    if (!['string', 'number', 'boolean'].includes(typeof value)) throw new AuditEventError(name)
    fields[name] = typeof value === 'string' ? clipped(value) : value
  }
  return fields
}

const clipped = (text: string) => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text)
