import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '#lib/runtime'

/** A session lasts this long. */
export const SESSION_MS = 12 * 3_600_000
const MAX_SESSIONS = 1000
const WINDOW_MS = 60_000
const MAX_FAILURES = 10
const MAX_ADDRESSES = 10_000

/** Who is logged in: random ids, kept in memory, so that a restart logs everybody out. */
export class Sessions {
  readonly #clock: Clock
  readonly #sessions = new Map<string, { keyHash: string; until: number }>()

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Begins a session of the key and gives its id. The oldest ends when there are more than 1000. */
  begin(keyHash: string): string {
    const id = randomBytes(32).toString('base64url')
    this.#sessions.set(id, { keyHash, until: this.#clock.now() + SESSION_MS })
    dropOldest(this.#sessions, MAX_SESSIONS)
    return id
  }

  /** The hash of the key that began the session; undefined when there is none, or its time is over. */
  keyHashOf(id: string | undefined): string | undefined {
    const session = this.#sessions.get(id ?? '')
    return session && session.until > this.#clock.now() ? session.keyHash : undefined
  }

  end(id: string | undefined): void {
    this.#sessions.delete(id ?? '')
  }
}

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

  failed(address: string): void {
    const now = this.#clock.now()
    const before = this.#failures.get(address)
    const current = before && before.until > now ? before : { count: 0, until: now + WINDOW_MS }
    this.#failures.set(address, { ...current, count: current.count + 1 })
    dropOldest(this.#failures, MAX_ADDRESSES)
  }
}

function dropOldest(map: Map<string, unknown>, limit: number): void {
  const [oldest] = map.keys()
  if (map.size > limit) map.delete(oldest!)
}
