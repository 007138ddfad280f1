import type { AttemptRecord } from '#lib/queue'
import { messageOf, PermanentError } from '#lib/runtime'
import type { WireError } from '#lib/wire'
import { UnrecoverableError } from 'bullmq'
import type { Attempt } from './attempt.ts'

/** How an attempt ended, as the caller will read it. */
export interface Verdict {
  outcome: AttemptRecord['outcome']
  result?: unknown
  error?: WireError
  /** No further attempt can change it. */
  permanent: boolean
}

/** The one place that turns an ended attempt into an outcome. */
export function judge(attempt: Attempt): Verdict {
  if (attempt.signal.aborted && attempt.end?.outcome !== 'completed') return judgeAborted(attempt)
  if (attempt.error !== undefined) return judgeError(attempt.error)
  const { outcome, result, error } = attempt.end!
  if (outcome === 'completed') return { outcome, result, permanent: false }
  const { permanent = false, ...facts } = error ?? { type: outcome, message: outcome }
  return { outcome, error: facts, permanent }
}

/** The one place that turns an outcome into what BullMQ makes of it: an error it retries, or one that it does not. */
export function toBullError({ error, outcome, permanent }: Verdict): Error {
  const text = `${error?.type ?? outcome}: ${error?.message ?? 'no further fact'}`
  const raised = permanent ? new UnrecoverableError(text) : new Error(text)
  raised.stack = error?.stack ?? text
  return raised
}

function judgeAborted(attempt: Attempt): Verdict {
  const reason = messageOf(attempt.signal.reason)
  if (reason === 'cancelled')
    return {
      outcome: 'cancelled',
      error: { type: 'cancelled', message: 'the request was cancelled' },
      permanent: true,
    }
  return { outcome: 'interrupted', error: { type: 'interrupted', message: reason }, permanent: false }
}

function judgeError(error: unknown): Verdict {
  const type = (error as { type?: unknown }).type
  return {
    outcome: 'failed',
    error: { type: typeof type === 'string' ? type : 'worker', message: messageOf(error) },
    permanent: error instanceof PermanentError,
  }
}
