import type { AttemptEnd } from '#lib/context'
import type { WireError } from '#lib/wire'
import type { Outgoing } from './outgoing.ts'
import { RedactionError } from './redaction.ts'

type AttemptError = NonNullable<AttemptEnd['error']>

/** Ends whose words are ours alone. */
const OUR_WORDS: readonly AttemptEnd['outcome'][] = ['timed-out', 'cancelled', 'interrupted']
const TYPE = /^[\w.:/-]{1,200}$/

/**
 * How the attempt ended, without secrets in what its agent said of it. When nobody can tell what may leave, a completed
 * attempt has failed and may be made again, and a failed one keeps its outcome without its words.
 */
export async function redactEnd(end: AttemptEnd, outgoing: Outgoing): Promise<AttemptEnd> {
  try {
    return end.error ? await redactError(end, end.error, outgoing) : await redactResult(end, outgoing)
  } catch (error) {
    if (error instanceof RedactionError) return withheld(end, error)
    throw error
  }
}

async function redactResult(end: AttemptEnd, outgoing: Outgoing): Promise<AttemptEnd> {
  const { result, memory } = end
  const said = { result: result ?? null, ...(memory === undefined ? {} : { memory }) }
  return { ...end, ...(await outgoing.clear('result', said)) }
}

async function redactError(end: AttemptEnd, error: AttemptError, outgoing: Outgoing): Promise<AttemptEnd> {
  if (OUR_WORDS.includes(end.outcome)) return end
  const { type, message, stack } = error
  const said: WireError = { type, message, ...(stack === undefined ? {} : { stack }) }
  const cleared = await outgoing.clear('error', said)
  return { ...end, error: { ...error, ...cleared, type: TYPE.test(cleared.type) ? cleared.type : 'masked' } }
}

function withheld({ outcome, error, receipt }: AttemptEnd, { type, message }: RedactionError): AttemptEnd {
  const isFailure = outcome === 'completed' || outcome === 'failed'
  const permanent = error?.permanent ? { permanent: true } : {}
  return {
    outcome: isFailure ? 'failed' : outcome,
    error: {
      type: isFailure ? type : outcome,
      message: `what the agent said is withheld: ${message}`,
      ...permanent,
    },
    receipt,
  }
}
