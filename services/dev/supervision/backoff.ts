const FIRST_MS = 200
const LONGEST_MS = 30_000

/** Exponential backoff with jitter: 200 ms doubling to 30 s, each between one half and the whole of that. */
export class Backoff {
  readonly #random: () => number
  #failures = 0

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** How long to wait after one more failure, in milliseconds. */
  next(): number {
    const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures)
    this.#failures += 1
    return Math.round(ceiling * (0.5 + this.#random() / 2))
  }

  /** The service has run for long enough: the next failure is a first one. */
  reset(): void {
    this.#failures = 0
  }
}
