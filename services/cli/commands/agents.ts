import { findTarget, type TargetOptions } from '../target.ts'
import { jsonText, table } from '../terminal.ts'

/** Shows every agent type: its slots, what runs and waits, its spares and level. */
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
  ])
  process.stdout.write(`${table(['agent', 'type', 'slots', 'active', 'waiting', 'spares', 'level'], rows)}\n`)
}
