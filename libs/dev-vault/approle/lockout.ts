import type { Clock } from '#lib/runtime'

/** Bad logins with one role id after which it is locked, for how long, and after what rest the count begins anew. */
const THRESHOLD = 5
const LOCKED_MS = 15 * 60_000
const COUNT_RESET_MS = 15 * 60_000

/**
 * User lockout, on by default in Vault: who guesses secret ids of one role is locked out of it, the right secret id
 * included. Only wrong secret ids of a role that exists are counted.
 */
export class Lockout {
  readonly #clock: Clock
  readonly #failures = new Map<string, { count: number; lastAt: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  isLocked(roleId: string): boolean {
    const failed = this.#failures.get(roleId)
    return failed !== undefined && failed.count >= THRESHOLD && this.#sinceMs(failed) < LOCKED_MS
  }

  countFailure(roleId: string): void {
    const failed = this.#failures.get(roleId)
    const before = failed && this.#sinceMs(failed) <= COUNT_RESET_MS ? failed.count : 0
    this.#failures.set(roleId, { count: before + 1, lastAt: this.#clock.now() })
  }

  forget(roleId: string): void {
    this.#failures.delete(roleId)
  }

  #sinceMs({ lastAt }: { lastAt: number }): number {
    return this.#clock.now() - lastAt
  }
}
