import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '#lib/runtime'
import { dropOldest } from './bounded.ts'

/** A session lasts this long. */
export const SESSION_MS = 12 * 3_600_000
const MAX_SESSIONS = 1000

/** Who is logged in with a browser: random ids, kept in memory, so that a restart logs everybody out. */
export class Sessions {
  readonly #clock: Clock
  readonly #sessions = new Map<string, { keyHash: string; until: number }>()

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Begins a session of the key with this hash and gives its id. The oldest ends when there are more than 1000. */
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

  /** Ends a session; an unknown id is no error. */
  end(id: string | undefined): void {
    this.#sessions.delete(id ?? '')
  }
}

/** How a session's cookie is set: out of reach of scripts and of other sites. 0 takes it away. */
export function cookieSettings(ms: number) {
  return { path: '/', httpOnly: true, sameSite: 'strict', maxAge: Math.floor(ms / 1000) } as const
}
