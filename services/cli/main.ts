import { CommanderError } from 'commander'
import { ThreadboundError } from '#lib/client'
import { messageOf } from '#lib/runtime'
import { CommandError } from './errors.ts'
import { createProgram } from './program.ts'
import { printableLines } from './terminal.ts'

try {
  await createProgram().parseAsync(process.argv)
} catch (error) {
  process.exitCode = report(error)
}

/** What went wrong, on stderr, and the exit code: 2 when the command line itself is wrong. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  process.stderr.write(`threadbound: ${printableLines(textOf(error))}\n`)
  return error instanceof CommandError ? error.exitCode : 1
}

function textOf(error: unknown): string {
  if (error instanceof CommandError) return error.message
  if (error instanceof ThreadboundError && error.field) return `${error.message} (field ${error.field})`
  return messageOf(error)
}
