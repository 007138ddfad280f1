import { parseArgs } from 'node:util'
import { levels } from '../support/contexts.ts'
import { printReport } from './contexts/print.ts'
import { runContexts } from './contexts/run.ts'
import { printSecrets } from './secrets/print.ts'
import { runSecrets } from './secrets/run.ts'

/** `npm run bench -- contexts|secrets [--json] [--quick]` */

const USAGE = 'usage: npm run bench -- contexts|secrets [--json] [--quick]'
const options = {
  json: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
} as const
const { values, positionals } = parseArgs({ options, allowPositionals: true })
const say = (line: string) => process.stderr.write(`bench: ${line}\n`)
const benchmarks: Record<string, () => Promise<string>> = {
  async contexts() {
    const report = await runContexts({ quick: values.quick, levels, say })
    return values.json ? `${JSON.stringify(report)}\n` : printReport(report)
  },
  async secrets() {
    const report = await runSecrets(values.quick, say)
    return values.json ? `${JSON.stringify(report)}\n` : printSecrets(report)
  },
}
const run = Object.hasOwn(benchmarks, positionals.join(' ')) ? benchmarks[positionals[0]!] : undefined
if (!run) {
  process.stderr.write(`${USAGE}\n`)
  process.exit(2)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.stdout.write(await run())
