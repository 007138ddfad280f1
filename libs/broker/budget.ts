import { AttemptLimitError, TooManyConnectionsError } from './errors.ts'

/** What one attempt may do through the broker. */
export interface AttemptLimits {
  /** Calls to services outside. */
  calls: number
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
  accesses: 2000,
  bytes: 256 * 2 ** 20,
  connections: 3,
}

/** Counts what an attempt uses. */
export class AttemptBudget {
  readonly #limits: AttemptLimits
  #calls = 0
  #accesses = 0
  #bytes = 0
  #connections = 0

  constructor(limits: AttemptLimits = DEFAULT_LIMITS) {
    this.#limits = limits
  }

  /** Calls made so far. */
  get calls(): number {
    return this.#calls
  }

  /** @throws AttemptLimitError when the attempt has made all its calls */
  call(): void {
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
