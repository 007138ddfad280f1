import type { EndedBy, WireError } from '#lib/wire'
import type { End } from './channel.ts'
import { ContextStartError, OutputLimitError } from './errors.ts'

/** What the end of a phase means. */

/** The receipt's word for how a phase ended. */
export function reasonFor(end: End): EndedBy {
  if (end.kind !== 'violation') return 'released'
  return end.error instanceof OutputLimitError ? 'output-limit' : 'protocol-violation'
}

/** @throws ContextStartError when there is no message */
export function expectMessage(end: End, otherwise: string): void {
  if (end.kind === 'violation') throw new ContextStartError(end.error.message)
  if (end.kind === 'closed') throw new ContextStartError(otherwise)
}

/** Why an agent was not loaded. */
export function loadProblem(end: End): WireError {
  if (end.kind === 'violation') return { type: 'protocol-violation', message: end.error.message }
  if (end.kind === 'message' && 'error' in end.message) return end.message.error
  return { type: 'crashed', message: 'the context ended while it loaded the agent' }
}
