/** An error that no further attempt can cure: bad input, a refused right, a broken contract. All others are retryable. */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError'
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replaceAll(/\s+/g, ' ').trim()
}
