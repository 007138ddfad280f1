import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { messageOf } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import { buildTree, renderTree, type StoredSpan, type TraceTree } from '#lib/traces'
import { CommandError } from './errors.ts'
import type { Target } from './target.ts'
import { isColorful, terminalWidth } from './terminal.ts'

const Answer = z.looseObject({
  spans: z.array(z.custom<StoredSpan>((span) => typeof span === 'object' && span !== null)),
})

/** Spans reach the store a moment after they end; a trace counts as whole when it has not grown for this long. */
const QUIET_MS = 700
const PATIENCE_MS = 5000
/** The trace store answers at once, or something is wrong. */
const ANSWER_MS = 10_000

/** The tree of a trace from the cluster's own trace store. @throws CommandError */
export async function readTrace(
  target: Target,
  traceId: string,
): Promise<{ spans: StoredSpan[]; tree: TraceTree }> {
  if (!target.traces)
    throw new CommandError('the trace store of this cluster is not known: run the command with its --data')
  const url = `${target.traces.url}/api/traces/${encodeURIComponent(traceId)}`
  const { spans } = await read(url, target.traces.token).catch((cause: unknown) => {
    throw noTrace(target.traces!, traceId, cause)
  })
  return { spans, tree: buildTree(spans) }
}

/** A store of our own has a token; spans may go elsewhere instead, and that place has pages of its own. */
function noTrace({ url, token }: NonNullable<Target['traces']>, traceId: string, cause: unknown): unknown {
  if (token === undefined)
    return new CommandError(`the spans of this cluster go to ${url}: look there for trace ${traceId}`, {
      cause,
    })
  if (cause instanceof CommandError && cause.status === 404)
    return new CommandError(`no span of trace ${traceId} has arrived, or they are too old`, { cause })
  return cause
}

/** The same, once everything has arrived: no orphans, and quiet for a moment. Gives what there is after 5 s. */
export async function settledTrace(target: Target, traceId: string): Promise<TraceTree> {
  const until = performance.now() + PATIENCE_MS
  let before = -1
  for (;;) {
    const tree = await readTrace(target, traceId).then(
      (found) => found.tree,
      () => buildTree([]),
    )
    const settled = tree.rows.length > 0 && tree.rows.length === before && tree.orphans === 0
    if (settled || performance.now() > until) return tree
    before = tree.rows.length
    await delay(QUIET_MS)
  }
}

async function read(url: string, token: string | undefined): Promise<z.infer<typeof Answer>> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS) })
    const body = (await response.json()) as { message?: string }
    if (response.ok) return Answer.parse(body)
    throw new CommandError(
      `the trace store answered ${response.status}: ${body.message ?? 'no reason given'}`,
      { status: response.status },
    )
  } catch (cause) {
    if (cause instanceof CommandError) throw cause
    const reason =
      cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf((cause as Error).cause ?? cause)
    throw new CommandError(`${url}: expected a trace: ${reason}`, { cause })
  }
}

/** A tree for the terminal behind stdout, with what its marks mean. */
export function treeText(tree: TraceTree): string {
  const text = renderTree(tree, { color: isColorful(), width: terminalWidth() })
  const claims = tree.rows.some(({ span }) => span.attributes[attribute.claim] === true)
  const hint = '\n\n(claim): told by the context itself; all else was measured outside of it.'
  return `${text}${claims ? hint : ''}`
}
