import type { Clock } from '#lib/runtime'

/**
 * Calls back when something is due, on the given clock. One loop for everything: it sleeps until the earliest due time
 * that it was told, and `run` tells the next one.
 */
export class Deadlines implements AsyncDisposable {
  readonly #clock: Clock
  readonly #run: (now: number) => number | undefined
  readonly #stop = new AbortController()
  readonly #loop: Promise<void>
  #dueAt = Number.POSITIVE_INFINITY
  #wake = new AbortController()

  /** `run` does what is due and gives the time of the next, or undefined when nothing is left. It must not throw. */
  constructor(clock: Clock, run: (now: number) => number | undefined) {
    this.#clock = clock
    this.#run = run
    this.#loop = this.#loopUntilStopped()
  }

  /** Something new is due then. */
  expect(dueAt: number): void {
    if (dueAt >= this.#dueAt) return
    this.#dueAt = dueAt
    this.#wake.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#wake.abort()
    await this.#loop
  }

  async #loopUntilStopped(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const wake = new AbortController()
      this.#wake = wake
      const waitMs = Math.min(this.#dueAt - this.#clock.now(), 2 ** 40)
      if (waitMs > 0) await this.#clock.sleep(waitMs, wake.signal).catch(() => {})
      if (this.#stop.signal.aborted) return
      if (this.#dueAt > this.#clock.now()) continue
      this.#dueAt = Number.POSITIVE_INFINITY
      const next = this.#run(this.#clock.now())
      if (next !== undefined) this.#dueAt = Math.min(this.#dueAt, next)
    }
  }
}
