/** Who may hold an old value after the new one is live, and for how long. All milliseconds. */
export interface Holders {
  /** Timeouts of the agent types that may use the secret: an attempt keeps what it was given until it ends. */
  timeoutsMs: readonly number[]
  /** How long a sidecar serves a value without asking, at most. */
  freshMs: number
  /** How long it serves one while Vault does not answer. */
  staleMs: number
  /** By how much clocks may differ, and messages be late. */
  skewMs: number
}

/** How long both keys stay valid: the last attempt began with what the last cache still had, by the slowest clock. */
export function graceMsOf(holders: Holders): number {
  return settledMsOf(holders) + holders.staleMs + holders.skewMs
}

/**
 * After this time the old key is used no more by anyone who has reached Vault since. A use after it is worth an alert:
 * a sidecar cut off from Vault, or someone who has the key from elsewhere.
 */
export function settledMsOf({ timeoutsMs, freshMs }: Holders): number {
  return Math.max(0, ...timeoutsMs) + freshMs
}
