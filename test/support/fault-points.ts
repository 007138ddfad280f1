/** What a process that was killed throws from then on, at whatever it touches. */
export class CrashError extends Error {
  override readonly name = 'CrashError'
}

/**
 * Points at which a process may be killed, or a call may fail: one before and one after the effect of each call that goes
 * outside. Passed in order; at `at` it happens.
 */
export class FaultPoints {
  readonly labels: string[] = []
  #at: number | undefined
  #make: () => Error = () => new CrashError()
  #isDead = false

  /** At the point with this number the process dies: the effect after it never happens, nor does any later one. */
  crashAt(at: number): void {
    this.#at = at
  }

  /** At the point with this number a call fails; what comes after goes on. */
  failAt(at: number, make: () => Error): void {
    this.#at = at
    this.#make = make
  }

  /** Passes the points around an effect. */
  async around<T>(label: string, effect: () => T | Promise<T>): Promise<T> {
    this.#pass(`before ${label}`)
    const result = await effect()
    this.#pass(`after ${label}`)
    return result
  }

  #pass(label: string): void {
    if (this.#isDead) throw new CrashError()
    const number = this.labels.push(label) - 1
    if (number !== this.#at) return
    const error = this.#make()
    this.#isDead = error instanceof CrashError
    throw error
  }
}
