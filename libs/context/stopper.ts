import type { EndedBy } from '#lib/wire'
import type { ContextLimits } from './context-options.ts'

/** Why an attempt was cut short. */
export type StoppedBy = 'timeout' | 'cancelled' | 'interrupted'

/** What an aborted signal says of its attempt: `interrupted` where that is its reason, `cancelled` for any other. */
export const abortedBy = (signal: AbortSignal): 'cancelled' | 'interrupted' =>
  signal.reason === 'interrupted' ? 'interrupted' : 'cancelled'

/** What a stopper needs of the attempt. */
export interface StopperOptions {
  limits: ContextLimits
  /** {@link abortedBy} reads its reason. An interrupted attempt does not count as the request's fault. */
  signal: AbortSignal
  abort(reason: StoppedBy): void
  kill(by: EndedBy): void
}

/** Cuts an attempt short at its timeout or when its caller says so: first the agent is told, after the grace it is killed. */
export class Stopper implements Disposable {
  readonly #options: StopperOptions
  readonly #onAbort: () => void
  readonly #timeout: NodeJS.Timeout
  #kill: NodeJS.Timeout | undefined
  /** The first reason; undefined while the attempt may go on. */
  stoppedBy: StoppedBy | undefined

  constructor(options: StopperOptions) {
    this.#options = options
    const { limits, signal } = options
    this.#timeout = setTimeout(() => this.#stop('timeout'), limits.timeoutMs)
    this.#onAbort = () => this.#stop(abortedBy(signal))
    signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signal.aborted) this.#onAbort()
  }

  /** The receipt's word for why it was stopped. */
  get endedBy(): EndedBy | undefined {
    return this.stoppedBy && (this.stoppedBy === 'timeout' ? 'timeout' : 'aborted')
  }

  #stop(by: StoppedBy): void {
    if (this.stoppedBy) return
    this.stoppedBy = by
    this.#options.abort(by)
    this.#kill = setTimeout(() => this.#options.kill(this.endedBy!), this.#options.limits.graceMs)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timeout)
    clearTimeout(this.#kill)
    this.#options.signal.removeEventListener('abort', this.#onAbort)
  }
}
