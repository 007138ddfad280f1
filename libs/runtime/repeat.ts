import { type Clock, slept } from './clock.ts'
import { onDispose } from './lifecycle.ts'

/**
 * Does `work`, which must not reject, again and again: first after `everyMs`, then so long after it was done. Disposal does
 * not wait for what is under way: it may hang on something that is frozen, and hold up an end that must not be.
 */
export function repeatEvery(clock: Clock, everyMs: number, work: () => Promise<void>): AsyncDisposable {
  const stop = new AbortController()
  const repeating = async () => {
    while (await slept(clock, everyMs, stop.signal)) await work()
  }
  void repeating()
  return onDispose(() => stop.abort())
}
