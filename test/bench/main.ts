import { parseArgs } from 'node:util'
import { levels } from '../support/contexts.ts'
import { printReport } from './contexts/print.ts'
import { runContexts } from './contexts/run.ts'

/** `npm run bench -- contexts [--json] [--quick]` */

const USAGE = 'usage: npm run bench -- contexts [--json] [--quick]'
const options = {
  json: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
} as const
const { values, positionals } = parseArgs({ options, allowPositionals: true })
if (positionals.join(' ') !== 'contexts') {
  process.stderr.write(`${USAGE}\n`)
  process.exit(2)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
const say = (line: string) => process.stderr.write(`bench: ${line}\n`)
const report = await runContexts({ quick: values.quick, levels, say })
process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : printReport(report))
