import { UpstreamError } from '#lib/broker'
import type { Clock } from '#lib/runtime'
import type { Access, BrokeredSecret } from './access.ts'
import type { LiveAttempt } from './live-attempt.ts'

const FIRST_PAUSE_MS = 1000
const MOST_PAUSE_MS = 300_000

/** Refusals of keys by the services they are for: a refused key is read again, but a storm of refusals is no storm of reads. */
export class KeyRefusals {
  readonly #access: Access
  readonly #clock: Clock
  readonly #seen = new Map<string, { generation: number; pauseMs: number; until: number }>()

  constructor(access: Access, clock: Clock) {
    this.#access = access
    this.#clock = clock
  }

  /**
   * Notes how a call ended. True when the service refused the key and the cached value was dropped; while the same
   * generation keeps being refused, that happens after 1 s, then after twice as long each time.
   */
  note(attempt: LiveAttempt, secret: BrokeredSecret, error: unknown): boolean {
    if (!(error instanceof UpstreamError) || error.type !== 'upstream-unauthorized') return false
    const key = `${attempt.agentType.name}/${secret.name}`
    const last = this.#seen.get(key)
    const { generation } = secret.read
    const repeated = last !== undefined && last.generation >= generation
    if (repeated && this.#clock.now() < last.until) return false
    const pauseMs = repeated ? Math.min(MOST_PAUSE_MS, last.pauseMs * 2) : FIRST_PAUSE_MS
    this.#seen.set(key, { generation, pauseMs, until: this.#clock.now() + pauseMs })
    this.#access.refused(attempt, secret)
    return true
  }
}
