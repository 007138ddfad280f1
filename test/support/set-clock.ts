import { type Clock, systemClock } from '#lib/runtime'

const machine = Date.now.bind(Date)

/** A clock that runs with the machine's and can be set, as an operator or a time server does. */
export class SetClock implements Clock {
  #ahead = 0

  /** By how much it is ahead of the machine's from now on. */
  set(aheadMs: number): void {
    this.#ahead = aheadMs
  }

  /** Not what a test has put in the place of Date.now. */
  now(): number {
    return machine() + this.#ahead
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal)
  }
}
