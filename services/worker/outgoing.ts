import type { Log } from '#lib/runtime'
import type { Outlet, OutputStream } from '#lib/wire'
import type { Redaction } from './redaction.ts'

export interface OutgoingOptions {
  /** Undefined: the attempt has none, so no value can have been handed to it. */
  grant: string | undefined
  redaction: Redaction
  /** How long an answer may take now, milliseconds; below 0 not at all. Default: as long as the sidecar has for any. */
  patienceMs?: () => number
  /** Hears of every secret that was masked. */
  found: (secret: string) => void
  log: Log
}

/**
 * What one attempt says, on its way out of the worker. While its context holds no value it passes at once; from then on the
 * sidecar is asked first, in the order in which it was said. What the sidecar does not clear is withheld, and so is all that
 * follows: never passed on as it is.
 */
export class Outgoing {
  readonly #options: OutgoingOptions
  readonly #open = new Map<OutputStream, (cleared: string) => void>()
  #queue: Promise<unknown> = Promise.resolve()
  #failure: unknown
  #withheld = 0

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  /** Hands something on, now or when it was cleared. */
  pass<T>(outlet: Outlet, value: T, deliver: (cleared: T) => void): void {
    if (!this.#isNeeded) return deliver(value)
    this.clear(outlet, value)
      .then(deliver)
      .catch(() => this.#withheld++)
  }

  /** The next piece of console output: a value may lie across two of them, so the end of one may come with the next. */
  print(stream: OutputStream, text: string, deliver: (cleared: string) => void): void {
    const unlessEmpty = (cleared: string) => cleared !== '' && deliver(cleared)
    if (this.#isNeeded) this.#open.set(stream, unlessEmpty)
    this.pass(stream, text, unlessEmpty)
  }

  /** What may leave of a value. @throws RedactionError when nobody can tell */
  async clear<T>(outlet: Outlet, value: T): Promise<T> {
    return this.#isNeeded ? await this.#inTurn(() => this.#ask(outlet, value)) : value
  }

  /** Resolves when all that was said has been handed on or withheld, the ends of console output too. */
  async settle(): Promise<void> {
    for (const [stream, deliver] of this.#open)
      this.#inTurn(() => this.#ask(stream, '', true))
        .then(deliver)
        .catch(() => this.#withheld++)
    await this.#queue
    if (this.#withheld > 0) this.#options.log.warn({ withheld: this.#withheld }, 'agent messages withheld')
  }

  get #isNeeded(): boolean {
    return this.#options.redaction.isNeeded(this.#options.grant)
  }

  #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(ask)
    this.#queue = turn.catch(() => {})
    return turn
  }

  async #ask<T>(outlet: Outlet, value: T, isLast = false): Promise<T> {
    if (this.#failure) throw this.#failure
    const { grant, redaction, found, patienceMs = () => Infinity } = this.#options
    try {
      const question = { grant: grant!, outlet, value, isLast, patienceMs: patienceMs() }
      const cleared = await redaction.redact(question)
      for (const secret of cleared.found) found(secret)
      return cleared.value
    } catch (error) {
      this.#failure = error
      throw error
    }
  }
}
