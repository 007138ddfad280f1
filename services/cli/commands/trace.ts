import { CommandError } from '../errors.ts'
import { findTarget, type Target, type TargetOptions } from '../target.ts'
import { jsonText } from '../terminal.ts'
import { readTrace, treeText } from '../traces.ts'

const TRACE_ID = /^[0-9a-f]{32}$/

/** Shows the span tree of a request or of a trace, with durations. */
export async function trace(id: string, flags: TargetOptions & { json?: boolean }): Promise<void> {
  const target = findTarget(flags)
  const traceId = TRACE_ID.test(id) ? id : await traceOf(target, id)
  const { spans, tree } = await readTrace(target, traceId)
  if (tree.rows.length === 0) throw new CommandError(`no span of trace ${traceId} has arrived`)
  process.stdout.write(`${flags.json ? jsonText({ traceId, spans, tree }) : treeText(tree)}\n`)
}

async function traceOf(target: Target, requestId: string): Promise<string> {
  const { traceId } = await target.producer.request(requestId)
  if (!traceId) throw new CommandError(`request ${requestId} has no trace`)
  return traceId
}
