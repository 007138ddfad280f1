import { AttemptLimitError, CallRateError, TooManyConnectionsError } from './errors.ts'

/** What one attempt may do through the broker. */
export interface AttemptLimits {
  /** Calls to services outside. */
  calls: number
  /** Of those, so many at once without a pause. */
  burst: number
  /** Once the burst is used up. */
  callsPerSecond: number
  /** Uses of secrets, each of which is put on record: calls, reads, leases and relays. */
  accesses: number
  /** Bytes to and from services outside, together. */
  bytes: number
  /** Relays and streams open at once. Of a context's four connections one is left for small requests. */
  connections: number
}

/** Limits where nobody says otherwise: generous for an agent, an end for a loop. */
const DEFAULT_LIMITS: AttemptLimits = {
  calls: 1000,
  burst: 500,
  callsPerSecond: 100,
  accesses: 2000,
  bytes: 256 * 2 ** 20,
  connections: 3,
}

/** Counts what an attempt uses. */
export class AttemptBudget {
  readonly #limits: AttemptLimits
  readonly #now: () => number
  #calls = 0
  #allowed: number
  #countedAt: number
  #accesses = 0
  #bytes = 0
  #connections = 0

  /** `now`: milliseconds of any clock that never goes back. */
  constructor(limits: AttemptLimits = DEFAULT_LIMITS, now = () => performance.now()) {
    this.#limits = limits
    this.#now = now
    this.#allowed = limits.burst
    this.#countedAt = now()
  }

  /** Calls made so far. */
  get calls(): number {
    return this.#calls
  }

  /** @throws CallRateError when calls come too fast, AttemptLimitError when the attempt has made all of them */
  call(): void {
    this.#pace()
    if (++this.#calls > this.#limits.calls)
      throw new AttemptLimitError(`an attempt may make ${this.#limits.calls} calls through the broker`)
  }

  /** @throws AttemptLimitError when the attempt has used secrets as often as it may */
  access(): void {
    if (++this.#accesses > this.#limits.accesses)
      throw new AttemptLimitError(`an attempt may use secrets ${this.#limits.accesses} times`)
  }

  /** @throws AttemptLimitError when the attempt has moved all its bytes */
  move(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#limits.bytes)
      throw new AttemptLimitError(`an attempt may move ${this.#limits.bytes} bytes through the broker`)
  }

  /** A bucket that fills while the attempt is quiet. */
  #pace(): void {
    const { burst, callsPerSecond } = this.#limits
    const now = this.#now()
    this.#allowed = Math.min(burst, this.#allowed + ((now - this.#countedAt) / 1000) * callsPerSecond)
    this.#countedAt = now
    if (this.#allowed < 1) throw new CallRateError(((1 - this.#allowed) / callsPerSecond) * 1000)
    this.#allowed--
  }

  /** Takes one of the places for relays and streams; the result gives it back, once. @throws TooManyConnectionsError */
  connect(): () => void {
    if (this.#connections >= this.#limits.connections)
      throw new TooManyConnectionsError(this.#limits.connections)
    this.#connections++
    let held = true
    return () => {
      if (held) this.#connections--
      held = false
    }
  }
}
