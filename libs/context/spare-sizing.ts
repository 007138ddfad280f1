import type { Level } from '#lib/wire'

/**
 * How many spares a pool keeps. S1: at least one, and never more than `most`. S2: together they stay within the memory
 * budget, by what a context of this agent was measured to cost. S3: after quiet it is one again.
 */
export interface SparePolicy {
  /** The most it will ever ask for. */
  readonly most: number
  /** So many spares are wanted now, those that are being started among them. */
  wanted(): number
  /** An attempt has asked for a context. */
  asked(): void
  /** A context took so long from the wish for it until an attempt could enter. */
  started(ms: number): void
  /** A context held so much memory before its attempt entered. */
  weighed(bytes: number): void
}

/** Always the same number. */
export function fixedSpares(count: number): SparePolicy {
  return { most: count, wanted: () => count, asked() {}, started() {}, weighed() {} }
}

export interface SpareSizingOptions {
  level: Level
  /** Attempts at once: more spares than these are of no use. */
  slots: number
  /** What all spares of the pool may hold. */
  budgetBytes: number
  /** Milliseconds, of which only differences count. Default: since this process began. */
  now?: () => number
}

/** The rate is the most arrivals of any second in this time: a burst is remembered for as long, and then forgotten. */
const MEMORY_S = 30
/** Until the first start is measured, ms. */
const ASSUMED_START_MS = 100
/** Weight of the newest start in their moving average. */
const NEWEST = 0.2
/** Standard deviations of a Poisson process: the chance to find no spare is then about one in a hundred. */
const SAFETY = 3
/** Until the first context is weighed: what DESIGN.md allows a spare of the level. */
const ASSUMED_BYTES: Record<Level, number> = { thread: 7e6, process: 30e6, namespace: 30e6 }

/**
 * The stock that bridges the time in which a used spare is replaced: what arrives in it on average (rate x start time)
 * and three standard deviations more. The peak rate of the last half minute stands for the rate, since an average would
 * learn of a burst when it is over.
 */
export class SpareSizing implements SparePolicy {
  readonly most: number
  readonly #options: SpareSizingOptions
  /** Arrivals by second. */
  readonly #arrivals = new Map<number, number>()
  #startMs = ASSUMED_START_MS
  #measured = false
  #bytes = 0

  constructor(options: SpareSizingOptions) {
    this.#options = options
    this.most = options.slots
  }

  wanted(): number {
    const expected = (this.#ratePerSecond() * this.#startMs) / 1000
    const stock = Math.ceil(expected + SAFETY * Math.sqrt(expected))
    return Math.max(1, Math.min(stock, this.most, this.#affordable()))
  }

  asked(): void {
    const second = this.#second()
    this.#forget(second)
    this.#arrivals.set(second, (this.#arrivals.get(second) ?? 0) + 1)
  }

  started(ms: number): void {
    this.#startMs = this.#measured ? this.#startMs + NEWEST * (ms - this.#startMs) : ms
    this.#measured = true
  }

  /** All contexts of a pool load the same code: the heaviest is the safe measure, the others lost a charge on the way. */
  weighed(bytes: number): void {
    this.#bytes = Math.max(this.#bytes, bytes)
  }

  #affordable(): number {
    const { budgetBytes, level } = this.#options
    return Math.floor(budgetBytes / (this.#bytes || ASSUMED_BYTES[level]))
  }

  #ratePerSecond(): number {
    this.#forget(this.#second())
    return Math.max(0, ...this.#arrivals.values())
  }

  #forget(second: number): void {
    for (const past of this.#arrivals.keys()) if (past <= second - MEMORY_S) this.#arrivals.delete(past)
  }

  #second(): number {
    const { now = () => performance.now() } = this.#options
    return Math.floor(now() / 1000)
  }
}
