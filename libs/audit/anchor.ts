import { type Clock, type Log, messageOf, systemClock } from '#lib/runtime'
import type { AuditHead, AuditLog } from './audit-log.ts'

const EVERY_MS = 5000
/** How long the end waits for the last note. */
const LAST_NOTE_MS = 1000

/** Where heads are noted, by a word for the place. */
export interface AnchorOptions {
  audit: Pick<AuditLog, 'head' | 'settled'>
  places: Record<string, (head: AuditHead) => Promise<unknown>>
  clock?: Clock | undefined
  log: Log
}

/**
 * Notes how far an audit log goes, every five seconds in which it grew, where whoever can write the file cannot: whatever is
 * cut from its end, or written anew, shows then, but for the last seconds. A place that does not answer is tried again.
 */
export class AuditAnchor implements AsyncDisposable {
  readonly #options: AnchorOptions
  readonly #clock: Clock
  readonly #noted = new Map<string, number>()
  readonly #failing = new Set<string>()
  readonly #stop = new AbortController()
  readonly #noting: Promise<void>

  private constructor(options: AnchorOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#noting = this.#keepNoting()
  }

  /** Begins to note. */
  static open(options: AnchorOptions): AuditAnchor {
    return new AuditAnchor(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#noting
    await this.#options.audit.settled()
    const late = new AbortController()
    const waited = this.#clock.sleep(LAST_NOTE_MS, late.signal).catch(() => {})
    await Promise.race([this.#noteAll(), waited])
    late.abort()
  }

  async #keepNoting(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#noteAll()
      await this.#clock.sleep(EVERY_MS, this.#stop.signal).catch(() => {})
    }
  }

  async #noteAll(): Promise<void> {
    await Promise.all(Object.keys(this.#options.places).map((place) => this.#note(place)))
  }

  async #note(place: string): Promise<void> {
    const { audit, places, log } = this.#options
    const { head } = audit
    if (this.#noted.get(place) === head.seq) return
    try {
      await places[place]!(head)
      this.#noted.set(place, head.seq)
      if (this.#failing.delete(place)) log.info({ place }, 'the head of the audit log is noted again')
    } catch (error) {
      if (this.#failing.has(place)) return
      this.#failing.add(place)
      log.warn({ place, error: messageOf(error) }, 'the head of the audit log cannot be noted')
    }
  }
}
