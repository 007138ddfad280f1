import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type AuditVerdict, type NotedElsewhere, readAudit, verifyAudit, type WrittenEvent } from '#lib/audit'
import { messageOf, parseDurationMs } from '#lib/runtime'
import * as z from 'zod'
import { CommandError, UsageError } from '../errors.ts'
import { jsonText, table, terminalWidth } from '../terminal.ts'
import { openVaultTarget, type VaultOptions } from '../vault-target.ts'

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
  const verdict = options.verify ? await verifyAudit(file, await notedInVault(options)) : undefined
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

/**
 * How far the log went when the sidecar noted it in Vault, at most some seconds ago; read before the file is, so that
 * the file can only be longer. Where there is no Vault to ask, a cut end is not seen, and that is said.
 */
async function notedInVault(options: AuditOptions): Promise<NotedElsewhere[]> {
  try {
    if (options.auditFile !== undefined && options.cluster === undefined)
      throw new CommandError('it is no log of a cluster (--cluster FILE says that it is)')
    await using target = await openVaultTarget(options)
    const { client, token, desired } = target
    const entry = await client.kvRead(token, desired.names.auditHead('sidecar'))
    return [{ place: 'Vault', ...Head.parse(entry.data) }]
  } catch (error) {
    process.stderr.write(`warning: a cut end would not be seen: ${messageOf(error)}\n`)
    return []
  }
}

const Head = z.object({ seq: z.number(), hash: z.string() })

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

function verdictText({ ok, lines, head }: AuditVerdict): string {
  return `\nchain ${ok ? 'unbroken' : 'BROKEN'}: ${lines} lines, head ${head}`
}

const textOf = (value: string | number | boolean | undefined) =>
  value === undefined ? undefined : String(value)
