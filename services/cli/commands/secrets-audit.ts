import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type AuditVerdict, readAudit, verifyAudit, type WrittenEvent } from '#lib/audit'
import { parseDurationMs } from '#lib/runtime'
import { CommandError, UsageError } from '../errors.ts'
import { jsonText, table, terminalWidth } from '../terminal.ts'

/** Options of `secrets audit`, as typed. */
export interface AuditOptions {
  data: string
  auditFile?: string
  period: string
  secret?: string
  agent?: string
  trace?: string
  verify?: boolean
  json?: boolean
}

/** Shows what the audit log holds of a time, also when no cluster runs; with `--verify` exits 1 for a broken chain. */
export async function audit(options: AuditOptions): Promise<void> {
  const periodMs = parseDurationMs(options.period)
  if (periodMs === undefined)
    throw new UsageError(`--period: expected a duration such as 24h or 7d, found "${options.period}"`)
  const file = logOf(options)
  const { secret, agent: agentType, trace: traceId } = options
  const filter = { since: Date.now() - periodMs, secret, agentType, traceId }
  const events: WrittenEvent[] = []
  for await (const event of readAudit(file, filter)) events.push(event)
  const verdict = options.verify ? await verifyAudit(file) : undefined
  if (options.json) process.stdout.write(`${jsonText({ file, events, ...(verdict && { verdict }) })}\n`)
  else
    process.stdout.write(`${[eventsText(events), ...(verdict ? [verdictText(verdict)] : [])].join('\n')}\n`)
  if (verdict?.broken)
    throw new CommandError(`${file}: line ${verdict.broken.line}: ${verdict.broken.why}; the chain is broken`)
}

function logOf({ auditFile, data }: AuditOptions): string {
  const file = resolve(auditFile ?? join(data, 'audit.log'))
  if (existsSync(file)) return file
  throw new CommandError(
    `there is no audit log at ${file}: name the data directory of the cluster with --data`,
  )
}

const HEADER = [
  'time',
  'action',
  'outcome',
  'secret',
  'generation',
  'agent type',
  'request',
  'attempt',
  'by, why',
  'trace',
]

function eventsText(events: WrittenEvent[]): string {
  if (events.length === 0) return 'nothing in this time'
  const rows = events.map((event) => [
    event.time,
    ...['action', 'outcome', 'secret', 'generation', 'agentType', 'requestId', 'attempt'].map((field) =>
      textOf(event[field]),
    ),
    [event['operator'], event['what'], event['reason']].filter(Boolean).join(', ') || undefined,
    textOf(event['traceId']),
  ])
  return table(HEADER, rows, { figures: ['generation', 'attempt'], width: terminalWidth() })
}

/** It sees what was changed or taken out of the middle; a cut end shows by its head, when that was noted elsewhere. */
function verdictText({ ok, lines, head }: AuditVerdict): string {
  return `\nchain ${ok ? 'unbroken' : 'BROKEN'}: ${lines} lines, head ${head}`
}

const textOf = (value: string | number | boolean | undefined) =>
  value === undefined ? undefined : String(value)
