import type { RaiseAlert } from '#lib/queue'
import { type Clock, repeatEvery } from '#lib/runtime'

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
export function watchMints({ counts, agentTypes, raise, clock }: MintWatchOptions): AsyncDisposable {
  let before = counts()
  return repeatEvery(clock, EVERY_MS, async () => {
    const now = counts()
    const [minted, attempts] = [now.minted - before.minted, now.attempts - before.attempts]
    before = now
    if (minted > attempts * PER_ATTEMPT + agentTypes)
      await raise('mints-above-attempts', 'warning', { mints: `${minted}`, attempts: `${attempts}` })
  })
}
