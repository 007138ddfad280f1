import { deeperThan, MAX_DEPTH, type ToRedaction } from '#lib/wire'
import * as z from 'zod'

/** A context's message is at most this deep, and what the worker makes of it a little deeper. */
const DEPTH = MAX_DEPTH + 8

const grant = z.string().min(1).max(100)

/** What a worker may say on its connection for redaction. */
export const ToRedactionSchema: z.ZodType<ToRedaction> = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('ready'), grant }),
  z.strictObject({
    t: z.literal('redact'),
    id: z.int().nonnegative(),
    grant,
    outlet: z.enum(['result', 'error', 'log', 'progress', 'emit', 'span', 'call', 'stdout', 'stderr']),
    json: z.string(),
    last: z.literal(true).exactOptional(),
  }),
  z.strictObject({ t: z.literal('forget'), grant }),
])

/** The value that a frame carries. @throws SyntaxError when it is no JSON, or too deep to be walked */
export function valueOf({ json }: Extract<ToRedaction, { t: 'redact' }>): unknown {
  if (deeperThan(Buffer.from(json), DEPTH)) throw new SyntaxError(`JSON nested deeper than ${DEPTH}`)
  return JSON.parse(json)
}
