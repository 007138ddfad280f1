import type { EndedBy, WireError } from '#lib/wire'
import type { End } from './channel.ts'
import { ContextStartError, OutputLimitError } from './errors.ts'

/**
 * What a context whose conversation ended like this is ended by, on its receipt. `signal`: one that closed its channel
 * ends by itself; how, its launcher sees.
 */
export function reasonFor(end: End): EndedBy {
  if (end.kind === 'closed') return 'signal'
  if (end.kind !== 'violation') return 'released'
  return end.error instanceof OutputLimitError ? 'output-limit' : 'protocol-violation'
}

/** @throws ContextStartError with what went wrong, or with `otherwise` where it only fell silent */
export function expectMessage(end: End, otherwise: string): void {
  if (end.kind === 'violation') throw new ContextStartError(end.error.message)
  if (end.kind === 'closed') throw new ContextStartError(otherwise)
}

/** Why an agent's code could not be loaded. */
export function loadProblem(end: End): WireError {
  if (end.kind === 'violation') return { type: 'protocol-violation', message: end.error.message }
  if (end.kind === 'message' && 'error' in end.message) return end.message.error
  return { type: 'crashed', message: 'the context ended while it loaded the agent' }
}
