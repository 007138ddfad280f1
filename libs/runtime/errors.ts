/** An error that no further attempt can cure: bad input, a refused right, a broken contract. */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError'
}

/** True when the work may be attempted again: everything that does not extend {@link PermanentError}. */
export function isRetryable(error: unknown): boolean {
  return !(error instanceof PermanentError)
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replaceAll(/\s+/g, ' ').trim()
}
