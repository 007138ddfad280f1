import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type AuditVerdict, readAudit, verifyAudit, type WrittenEvent } from '#lib/audit'
import { parseDurationMs } from '#lib/runtime'
import { CommandError, UsageError } from '../errors.ts'
import { type NotedHeads, notedHeads } from '../secrets/noted-heads.ts'
import { jsonText, table, terminalWidth } from '../terminal.ts'
import type { VaultOptions } from '../vault-target.ts'

/** Options of `secrets audit`, as typed. */
export interface AuditOptions extends VaultOptions {
  auditFile?: string
  period: string
  secret?: string
  agent?: string
  trace?: string
  verify?: boolean
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
  const verdict = options.verify ? await verify(file, options) : undefined
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

type Verdict = AuditVerdict & NotedHeads

/**
 * Follows the chain, and compares it with how far the log went when the sidecar noted that elsewhere, at most some seconds
 * ago. Those are read before the file is, so that the file can only be longer.
 */
async function verify(file: string, options: AuditOptions): Promise<Verdict> {
  const heads = await notedHeads(options)
  for (const { place, why } of heads.silent)
    process.stderr.write(`warning: not compared with ${place}: ${why}\n`)
  if (heads.noted.length === 0) process.stderr.write('warning: a cut end would not be seen\n')
  return { ...(await verifyAudit(file, heads.noted)), ...heads }
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
  'from',
  'to',
  'Vault request',
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
    textOf(event['source']),
    textOf(event['dialled'] ?? event['to']),
    textOf(event['vaultRequest']),
    textOf(event['traceId']),
  ])
  return table(HEADER, rows, { figures: ['generation', 'attempt'], width: terminalWidth() })
}

function verdictText({ ok, lines, head, noted }: Verdict): string {
  const compared = noted.map(({ place, seq }) => `, compared with line ${seq} in ${place}`).join('')
  return `\nchain ${ok ? 'unbroken' : 'BROKEN'}: ${lines} lines, head ${head}${compared}`
}

const textOf = (value: string | number | boolean | undefined) =>
  value === undefined ? undefined : String(value)
