import { type RequestView, type ThreadboundClient, ThreadboundError } from '#lib/client'
import { parseDurationMs } from '#lib/runtime'
import { UsageError } from '../errors.ts'
import { readInput } from '../input.ts'
import { requestText } from '../request-text.ts'
import { findTarget, type TargetOptions } from '../target.ts'
import { jsonText, printableLines } from '../terminal.ts'

/** A request whose worker is gone ends when another one takes it: that may take longer. */
const CANCEL_MS = 10_000

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
  const view = await ended(producer, accepted.id, { ...flags, timeoutMs })
  printView(view, flags.json)
  if (view.outcome !== 'completed') process.exitCode = 1
}

/** Cancels a request, waits for its end and shows it; exits 1 when it had ended in another way. */
export async function cancel(id: string, flags: TargetOptions & { json?: boolean }): Promise<void> {
  const { producer } = findTarget(flags)
  const found = await producer.cancel(id)
  const view = found.state === 'ended' ? found : await ended(producer, id, { ...flags, timeoutMs: CANCEL_MS })
  printView(view, flags.json)
  if (view.outcome !== 'cancelled') process.exitCode = 1
}

/** Shows a request as it is now. */
export async function request(id: string, flags: TargetOptions & { json?: boolean }): Promise<void> {
  printView(await findTarget(flags).producer.request(id), flags.json)
}

/** A request once it has ended; after too long, shows it as it is and throws. */
async function ended(
  producer: ThreadboundClient,
  id: string,
  { timeoutMs, json }: { timeoutMs: number; json?: boolean },
): Promise<RequestView> {
  return await producer.wait(id, { timeoutMs }).catch(async (error: unknown) => {
    if (error instanceof ThreadboundError && error.type === 'timeout')
      printView(await producer.request(id), json)
    throw error
  })
}

function printView(view: RequestView, json: boolean | undefined): void {
  print(view, json, requestText(view))
}

function print(value: object, json: boolean | undefined, text: string): void {
  process.stdout.write(json ? `${jsonText(value)}\n` : `${printableLines(text)}\n`)
}
