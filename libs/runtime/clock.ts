import { setTimeout as delay } from 'node:timers/promises'

/** Time as a dependency, so that tests turn it by hand. All figures are milliseconds. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. Keeps the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Sleeps; true when the time has passed, false when the signal aborted first. Never rejects. */
export function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return clock.sleep(ms, signal).then(
    () => !signal.aborted,
    () => false,
  )
}

/** The machine's clock, which may be set: for what is compared with the time of others. A sleep is cut into pieces below 2^31 ms, which is all that a timer holds. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    for (let left = ms; left > 0; left -= 2 ** 30) await delay(Math.min(left, 2 ** 30), undefined, { signal })
  },
}

/**
 * Milliseconds since the epoch as they were at the start, counted on from there: nobody can set it. For trust in what ends
 * after a while, and for deadlines of our own. It stands still while the machine sleeps.
 */
export const steadyClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
}
