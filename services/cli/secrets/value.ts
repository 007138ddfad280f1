import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { messageOf } from '#lib/runtime'
import { parseAdminUser } from '#lib/vault'
import { CommandError, UsageError } from '../errors.ts'

/** Where a value comes from, as typed. */
export interface ValueFlags {
  value?: string
  valueFile?: string
  force?: boolean
}

const SHORTEST = 12
const LONGEST = 65_536

/**
 * Reads a secret's value: from `--value-file`, from stdin for `--value -`, from `--value`, else from the terminal without
 * echo. One line end after it is not part of it. @throws UsageError, CommandError
 */
export async function readValue(flags: ValueFlags, name: string): Promise<string> {
  if (flags.value !== undefined && flags.valueFile !== undefined)
    throw new UsageError('give either --value or --value-file')
  return (await source(flags, name)).replace(/\r?\n$/, '')
}

async function source({ value, valueFile }: ValueFlags, name: string): Promise<string> {
  if (valueFile !== undefined) return readFile(valueFile)
  if (value === '-') return text(process.stdin)
  if (value !== undefined) {
    const say = 'is now in the history of your shell, and was in the list of processes'
    process.stderr.write(`warning: the value ${say}: --value-file, --value - or the prompt leave no trace\n`)
    return value
  }
  if (!process.stdin.isTTY)
    throw new UsageError('no value: give --value-file FILE or --value -, or run this at a terminal')
  return askHidden(`value of ${name}: `)
}

/**
 * Refuses what could not be told from ordinary text when it must be masked, and what a header cannot carry; `--force` lets
 * it pass. An empty one is never a value. @throws UsageError
 */
export function checkValue(value: string, { provider, force }: { provider: string; force: boolean }): void {
  if (value === '') throw new UsageError('the value is empty')
  if (value.length > LONGEST)
    throw new UsageError(`the value has ${value.length} characters, expected at most ${LONGEST}`)
  if (provider === 'postgres-admin' && !parseAdminUser(value))
    throw new UsageError('the value of a postgres-admin secret: expected "user:password"')
  if (force) return
  if (value.length < SHORTEST)
    throw new UsageError(
      `the value has ${value.length} characters, expected at least ${SHORTEST}: shorter ones cannot be told from ordinary text when output is searched for them. --force takes it all the same`,
    )
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new UsageError(
      'the value holds white space, a control character or one beyond ASCII, expected [\\x21-\\x7e]+ only. --force takes it all the same',
    )
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`--value-file: ${messageOf(cause)}`)
  }
}

/** Asks on stderr; what is typed is not shown. */
function askHidden(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  process.stderr.write(question)
  return new Promise<string>((resolve, reject) => {
    terminal.once('close', () => reject(new CommandError('interrupted', { exitCode: 130 })))
    terminal.once('line', (line) => {
      resolve(line)
      terminal.close()
    })
  }).finally(() => process.stderr.write('\n'))
}
