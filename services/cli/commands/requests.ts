import { type RequestView, ThreadboundError } from '#lib/client'
import { parseDurationMs } from '#lib/runtime'
import { UsageError } from '../errors.ts'
import { readInput } from '../input.ts'
import { requestText } from '../request-text.ts'
import { findTarget, type TargetOptions } from '../target.ts'
import { jsonText, printableLines } from '../terminal.ts'

/** Options of `enqueue`. */
export interface EnqueueFlags extends TargetOptions {
  input: string
  wait?: boolean
  timeout: string
  json?: boolean
}

/** Posts a request; with `--wait`, waits for its end and exits 1 unless it completed. */
export async function enqueue(agent: string, flags: EnqueueFlags): Promise<void> {
  const timeoutMs = parseDurationMs(flags.timeout)
  if (timeoutMs === undefined)
    throw new UsageError(`--timeout: expected a duration such as 60s, found "${flags.timeout}"`)
  const { producer } = findTarget(flags)
  const accepted = await producer.enqueue(agent, await readInput(flags.input))
  if (!flags.wait) return print(accepted, flags.json, accepted.id)
  const view = await producer.wait(accepted.id, { timeoutMs }).catch(async (error: unknown) => {
    if (error instanceof ThreadboundError && error.type === 'timeout')
      printView(await producer.request(accepted.id), flags.json)
    throw error
  })
  printView(view, flags.json)
  if (view.outcome !== 'completed') process.exitCode = 1
}

/** Shows a request as it is now. */
export async function request(id: string, flags: TargetOptions & { json?: boolean }): Promise<void> {
  printView(await findTarget(flags).producer.request(id), flags.json)
}

function printView(view: RequestView, json: boolean | undefined): void {
  print(view, json, requestText(view))
}

function print(value: object, json: boolean | undefined, text: string): void {
  process.stdout.write(json ? `${jsonText(value)}\n` : `${printableLines(text)}\n`)
}
