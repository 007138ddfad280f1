import type { AgentView } from '#lib/client'
import { printable } from '#lib/traces'
import { findTarget, type TargetOptions } from '../target.ts'
import { jsonText, table, terminalWidth } from '../terminal.ts'

const FIGURES = ['slots', 'active', 'waiting', 'spares']
const HEADER = ['agent', 'type', ...FIGURES, 'level', 'model']

/** Shows every agent type: its slots, what runs and waits, its spares, level and model; and which are paused, and why. */
export async function agents(flags: TargetOptions & { json?: boolean }): Promise<void> {
  const all = await findTarget(flags).producer.agents()
  if (flags.json) return void process.stdout.write(`${jsonText(all)}\n`)
  const rows = all.map((one) => [
    one.name,
    one.type,
    one.slots,
    one.active,
    one.waiting,
    one.spares,
    one.level,
    one.model,
  ])
  process.stdout.write(`${table(HEADER, rows, { figures: FIGURES, width: terminalWidth() })}\n`)
  for (const { name, paused } of all)
    if (paused) process.stdout.write(`${printable(pausedText(name, paused))}\n`)
}

function pausedText(name: string, { reason, message, at }: NonNullable<AgentView['paused']>): string {
  const since = at === undefined ? '' : ` since ${new Date(at).toISOString()}`
  return `${name} is paused${since} (${reason})${message ? `: ${message}` : ''}`
}
