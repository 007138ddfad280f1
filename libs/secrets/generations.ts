import type { Clock } from '#lib/runtime'

/** How long a generation that was told is believed, though Vault answers an older one. */
const BELIEVED_MS = 60_000
const FIRST_PAUSE_MS = 1000
const MAX_PAUSE_MS = 300_000

/**
 * What is known of the generations of secrets, whichever agent type learned it, and how often services' refusals may make
 * anyone ask Vault for a newer one.
 */
export class Generations {
  readonly #clock: Clock
  readonly #newest = new Map<string, { generation: number; until: number }>()
  readonly #refused = new Map<string, { generation: number; pauseMs: number; until: number }>()

  readonly #revoked = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Vault has answered this generation, or a message says that it is live. True when none so new was known. */
  seen(secret: string, generation: number): boolean {
    const newest = this.#newestOf(secret)
    if (newest > generation) return false
    this.#newest.set(secret, { generation, until: this.#clock.now() + BELIEVED_MS })
    return newest < generation
  }

  /** True when a newer generation is known to be live. */
  isBehind(secret: string, generation: number): boolean {
    return this.#newestOf(secret) > generation
  }

  /**
   * A service refused this generation: true when Vault may be asked for a newer one. At once when one is known; else after
   * 1 s, then after twice as long each time, whoever asks.
   */
  refused(secret: string, generation: number): boolean {
    if (this.isBehind(secret, generation)) return true
    const now = this.#clock.now()
    const before = this.#refused.get(secret)
    const repeated = before?.generation === generation
    if (repeated && now < before.until) return false
    const pauseMs = repeated ? Math.min(before.pauseMs * 2, MAX_PAUSE_MS) : FIRST_PAUSE_MS
    this.#refused.set(secret, { generation, pauseMs, until: now + pauseMs })
    return true
  }

  /** Nobody is given a generation up to this one any more. */
  revoke(secret: string, generation: number): void {
    this.#revoked.set(secret, Math.max(generation, this.#revoked.get(secret) ?? 0))
  }

  /** True for a generation that was revoked here. */
  isRevoked(secret: string, generation: number): boolean {
    return generation <= (this.#revoked.get(secret) ?? 0)
  }

  /** Nothing is known of a secret any more, but what was revoked. */
  forget(secret: string): void {
    this.#newest.delete(secret)
    this.#refused.delete(secret)
  }

  #newestOf(secret: string): number {
    const newest = this.#newest.get(secret)
    return newest && this.#clock.now() < newest.until ? newest.generation : 0
  }
}
