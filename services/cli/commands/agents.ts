import { findTarget, type TargetOptions } from '../target.ts'
import { jsonText, table, terminalWidth } from '../terminal.ts'

const FIGURES = ['slots', 'active', 'waiting', 'spares']
const HEADER = ['agent', 'type', ...FIGURES, 'level', 'model']

/** Shows every agent type: its slots, what runs and waits, its spares, level and model. */
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
}
