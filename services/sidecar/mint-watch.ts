import type { RaiseAlert } from '#lib/queue'
import { type Clock, slept } from '#lib/runtime'

const EVERY_MS = 60_000
/** An attempt needs one token at most, for what it leases; twice that leaves room for those that fail on their way. */
const PER_ATTEMPT = 2

export interface MintWatchOptions {
  /** So far. */
  counts: () => { minted: number; attempts: number }
  /** Each may have a token of its own for static secrets, replaced once in a while. */
  agentTypes: number
  raise: RaiseAlert
  clock: Clock
}

/** Raises an alert for each minute in which more tokens were minted than attempts can explain. */
export class MintWatch implements AsyncDisposable {
  readonly #options: MintWatchOptions
  readonly #stop = new AbortController()
  readonly #watching: Promise<void>

  constructor(options: MintWatchOptions) {
    this.#options = options
    this.#watching = this.#watch()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watching
  }

  async #watch(): Promise<void> {
    const { counts, agentTypes, raise, clock } = this.#options
    for (let before = counts(); await slept(clock, EVERY_MS, this.#stop.signal);) {
      const now = counts()
      const [minted, attempts] = [now.minted - before.minted, now.attempts - before.attempts]
      if (minted > attempts * PER_ATTEMPT + agentTypes)
        await raise('mints-above-attempts', 'warning', { mints: `${minted}`, attempts: `${attempts}` })
      before = now
    }
  }
}
