import { abortedBy, AgentLoadError, ContextStartError, LauncherGoneError } from '#lib/context'
import type { AttemptRecord } from '#lib/queue'
import { messageOf, PermanentError } from '#lib/runtime'
import type { WireError } from '#lib/wire'
import { UnrecoverableError } from 'bullmq'
import type { Attempt } from './attempt.ts'
import { GrantError } from './sidecar-client.ts'

/** How an attempt ended, as the caller will read it. */
export interface Verdict {
  outcome: AttemptRecord['outcome']
  result?: unknown
  error?: WireError
  /** No further attempt can change it. */
  permanent: boolean
}

/**
 * The one place that turns an ended attempt into an outcome. Where a context ran, its own end says how; an attempt that
 * was aborted before is judged by the same reading of its signal.
 */
export function judge({ end, error, signal }: Attempt): Verdict {
  if (end && (end.outcome !== 'completed' || error === undefined)) return judgeEnd(end)
  if (!end && signal.aborted) return cutShort(abortedBy(signal), 'before its context ran')
  if (isHostFault(error)) return cutShort('interrupted', messageOf(error))
  return judgeError(error)
}

/** The one place that turns an outcome into what BullMQ makes of it: an error it retries, or one that it does not. */
export function toBullError({ error, outcome, permanent }: Verdict): Error {
  const text = `${error?.type ?? outcome}: ${error?.message ?? 'no further fact'}`
  const raised = permanent ? new UnrecoverableError(text) : new Error(text)
  raised.stack = error?.stack ?? text
  return raised
}

function judgeEnd({ outcome, result, error }: NonNullable<Attempt['end']>): Verdict {
  if (outcome === 'completed') return { outcome, result, permanent: false }
  const { permanent = false, ...facts } = error ?? { type: outcome, message: outcome }
  return { outcome, error: facts, permanent: permanent || outcome === 'cancelled' }
}

function cutShort(outcome: 'cancelled' | 'interrupted', why: string): Verdict {
  const error = { type: outcome, message: `the attempt was ${outcome}: ${why}` }
  return { outcome, error, permanent: outcome === 'cancelled' }
}

/**
 * This worker cannot start contexts, its agent's module does not load, or its context and the sidecar have lost each other
 * before the attempt: no fault of the request.
 */
const isHostFault = (error: unknown) =>
  [LauncherGoneError, ContextStartError, AgentLoadError].some((kind) => error instanceof kind) ||
  (error instanceof GrantError && error.type === 'unknown-context')

function judgeError(error: unknown): Verdict {
  const type = (error as { type?: unknown }).type
  return {
    outcome: 'failed',
    error: { type: typeof type === 'string' ? type : 'worker', message: messageOf(error) },
    permanent: error instanceof PermanentError,
  }
}
