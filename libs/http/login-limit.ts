import { type Clock, systemClock } from '#lib/runtime'
import { dropOldest } from './bounded.ts'

const WINDOW_MS = 60_000
const MAX_FAILURES = 10
const MAX_ADDRESSES = 10_000

/** Slows guessing: ten wrong keys of an address in a minute, and it waits for that minute's end. */
export class LoginLimit {
  readonly #clock: Clock
  readonly #failures = new Map<string, { count: number; until: number }>()

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Milliseconds that the address has to wait; 0 when it may try. */
  waitMs(address: string): number {
    const failed = this.#failures.get(address)
    return failed && failed.count >= MAX_FAILURES ? Math.max(0, failed.until - this.#clock.now()) : 0
  }

  /** Counts a wrong key of the address. */
  failed(address: string): void {
    const now = this.#clock.now()
    const before = this.#failures.get(address)
    const current = before && before.until > now ? before : { count: 0, until: now + WINDOW_MS }
    this.#failures.set(address, { ...current, count: current.count + 1 })
    dropOldest(this.#failures, MAX_ADDRESSES)
  }
}
