/** What is known of a context in a thread host that has ended. */
export interface Suspect {
  readonly threadId: number | undefined
  readonly isAcquired: boolean
}

/**
 * Who took a thread host down: whom the report names, else the only one that ran; undefined where it cannot be known.
 * A spare runs nothing that an attempt brought, so it is a suspect only where no attempt ran.
 */
export function culpritOf<T extends Suspect>(all: T[], reported: number | undefined): T | undefined {
  const named = reported === undefined ? undefined : all.find(({ threadId }) => threadId === reported)
  if (named) return named
  const running = all.filter(({ isAcquired }) => isAcquired)
  const suspects = running.length > 0 ? running : all
  return suspects.length === 1 ? suspects[0] : undefined
}
