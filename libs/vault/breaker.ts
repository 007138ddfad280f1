import type { Clock } from '#lib/runtime'
import { isVaultError, VaultError } from './errors.ts'

/** Calls without an answer, one after the other, until none is made for a while. */
const UNANSWERED = 5
/** How long that is; then one call may try. Short, since what must be revoked waits for it too. */
const PAUSE_MS = 1000

/**
 * Spares a Vault that does not answer, and those who would wait for it: a caller with an older value uses that at once. An
 * answer of any kind, a refusal too, ends the pause.
 */
export class Breaker {
  readonly #clock: Clock
  #unanswered = 0
  #pausedUntil = 0
  #isTrying = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Makes the call, or refuses it without making it. @throws VaultError network, and what the call throws */
  async guard<T>(operation: string, call: () => Promise<T>): Promise<T> {
    const isTry = this.#admit(operation)
    try {
      const answer = await call()
      this.#unanswered = 0
      return answer
    } catch (error) {
      this.#unanswered = isVaultError(error, 'timeout', 'network') ? this.#unanswered + 1 : 0
      if (this.#unanswered >= UNANSWERED) this.#pausedUntil = this.#clock.now() + PAUSE_MS
      throw error
    } finally {
      if (isTry) this.#isTrying = false
    }
  }

  /** True for the one call that tries whether Vault answers again. */
  #admit(operation: string): boolean {
    if (this.#unanswered < UNANSWERED) return false
    if (this.#isTrying || this.#clock.now() < this.#pausedUntil) {
      const reason = `not asked, since ${this.#unanswered} calls got no answer`
      throw new VaultError({ kind: 'network', operation, reason, unasked: true })
    }
    this.#isTrying = true
    return true
  }
}
