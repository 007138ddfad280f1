import { setTimeout as delay } from 'node:timers/promises'
import { type Log, messageOf } from '#lib/runtime'
import type { JsonSchema, Receipt } from '#lib/wire'
import type { Bundle } from './bundle.ts'
import { Context } from './context.ts'
import type { ContextLimits, ContextOptions } from './context-options.ts'
import { AgentLoadError, ContextStartError, LauncherGoneError } from './errors.ts'
import type { LauncherLink } from './link.ts'
import type { SparePolicy } from './spare-sizing.ts'

/** What a pool is made of. */
export interface PoolOptions {
  launcher: LauncherLink
  bundle: Bundle
  limits: ContextLimits
  permissions?: ('child-process' | 'worker')[]
  /** How many started and loaded contexts wait. More of them hide longer bursts, and each holds its memory. */
  spares: SparePolicy
  /** Contexts alive at once, spares among them; at least the attempts at once + 1. */
  maxContexts: number
  /** Hears of every load of the agent's module. */
  loads?: LoadEvents
  /** Milliseconds, of which only differences count: the age of spares. Default: since this process began. */
  now?: () => number
  log: Log
}

/** Whether the agent's module loads, spare by spare. */
export interface LoadEvents {
  loaded(): void
  failed(error: AgentLoadError): void
}

interface Waiter {
  resolve(context: Context): void
  reject(error: unknown): void
}

const SPARE_AGE_MS = 600_000
const STARTS_AT_ONCE = 4
/** From the use of a spare until the next one is started. */
const SPARE_DELAY_MS = 15
/** How often old and surplus spares are looked for; one surplus spare at a time ends. */
const TEND_MS = 2_000
const BACKOFF_MS = 100
const MAX_BACKOFF_MS = 10_000
/** Failed starts in a row after which those who wait are told. */
const PATIENCE = 3

/**
 * Fresh contexts, some started ahead. P1: a context is given out once. P2: a spare older than ten minutes is replaced, by
 * one that is there before it ends. P3: at most `maxContexts` are alive. P4: a start that fails, or a spare that ends
 * by itself, is tried again, later each time until a context is given out.
 */
export class ContextPool implements AsyncDisposable {
  readonly #options: ContextOptions
  readonly #pool: PoolOptions
  /** By age, the oldest first; when they were ready. */
  readonly #spares = new Map<Context, number>()
  readonly #active = new Set<Context>()
  readonly #waiters: Waiter[] = []
  readonly #stop = new AbortController()
  readonly #starts = new Set<Promise<void>>()
  #failures = 0
  #resting = false
  #soon: NodeJS.Timeout | undefined
  readonly #tending: NodeJS.Timeout
  readonly #now: () => number

  private constructor(pool: PoolOptions) {
    this.#pool = pool
    this.#now = pool.now ?? (() => performance.now())
    const { launcher, bundle, limits, permissions = [], log } = pool
    this.#options = { launcher, listener: launcher.listener, bundle, limits, permissions, log }
    void launcher.closed.then(() => this.#refuseAll(new LauncherGoneError()))
    this.#tending = setInterval(() => this.#tend(), TEND_MS).unref()
  }

  /** Opens the pool and begins to start spares. */
  static async open(options: PoolOptions): Promise<ContextPool> {
    const pool = new ContextPool(options)
    pool.#fill()
    return pool
  }

  /** What the agent accepts and promises, taken in a context of its own; later ones load its code from V8's cache. @throws AgentLoadError */
  async describe(): Promise<{ input: JsonSchema | null; output: JsonSchema | null }> {
    await using context = await this.acquire()
    const { codeCache, ...schemas } = await context.describe()
    if (codeCache.length > 0) this.#options.bundle = { ...this.#options.bundle, codeCache }
    return schemas
  }

  /**
   * A loaded context that no attempt has entered; it is the caller's until it has ended. `alone`: it shares nothing with
   * another, so it is started now.
   * @throws AgentLoadError, ContextStartError after some tries; LauncherGoneError; the signal's reason
   */
  async acquire(signal?: AbortSignal, { alone = false } = {}): Promise<Context> {
    signal?.throwIfAborted()
    this.#stop.signal.throwIfAborted()
    if (this.#pool.launcher.isClosed) throw new LauncherGoneError()
    if (alone) return this.#startAlone()
    const { promise, resolve, reject } = Promise.withResolvers<Context>()
    const waiter = { resolve, reject }
    const onAbort = () => {
      this.#waiters.splice(this.#waiters.indexOf(waiter) >>> 0, 1)
      reject(signal!.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#pool.spares.asked()
    this.#waiters.push(waiter)
    this.#serve()
    return promise.finally(() => signal?.removeEventListener('abort', onAbort))
  }

  async #startAlone(): Promise<Context> {
    await this.#makeRoom()
    const start = Context.start({ ...this.#options, alone: true })
    const counted = start.then(
      () => {},
      () => {},
    )
    this.#starts.add(counted)
    try {
      const context = await start
      this.#active.add(context)
      this.#onGone(context)
      if (this.#stop.signal.aborted) await context[Symbol.asyncDispose]()
      return context
    } finally {
      this.#starts.delete(counted)
    }
  }

  /** A spare goes, rather than that there is one context too many. */
  async #makeRoom(): Promise<void> {
    const { spares, starting, active } = this.stats()
    if (spares + starting + active < this.#pool.maxContexts) return
    const [spare] = this.#spares.keys()
    if (!spare) throw new ContextStartError('there are as many as there may be')
    this.#retire(spare)
    await spare[Symbol.asyncDispose]()
  }

  /** How many contexts there are. */
  stats(): { spares: number; starting: number; active: number } {
    return { spares: this.#spares.size, starting: this.#starts.size, active: this.#active.size }
  }

  #serve(): void {
    for (const context of this.#spares.keys()) {
      if (this.#waiters.length === 0) break
      this.#spares.delete(context)
      this.#active.add(context)
      this.#failures = 0
      this.#waiters.shift()!.resolve(context)
    }
    if (this.#waiters.length > 0) this.#fill()
    else this.#fillSoon()
  }

  /** A start costs the launcher milliseconds: first those who have a context may begin. */
  #fillSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined
      this.#fill()
    }, SPARE_DELAY_MS).unref()
  }

  #fill(): void {
    const { spares, maxContexts, launcher } = this.#pool
    const old = this.#old().length
    const wanted = spares.wanted() + this.#waiters.length
    while (
      !this.#resting &&
      !this.#stop.signal.aborted &&
      !launcher.isClosed &&
      this.#starts.size < STARTS_AT_ONCE &&
      this.#spares.size - old + this.#starts.size < wanted &&
      this.#spares.size + this.#starts.size + this.#active.size < maxContexts
    ) {
      const start = this.#start().finally(() => this.#starts.delete(start))
      this.#starts.add(start)
    }
  }

  async #start(): Promise<void> {
    const begin = performance.now()
    try {
      const context = await Context.start(this.#options)
      this.#pool.spares.started(performance.now() - begin + SPARE_DELAY_MS)
      this.#pool.loads?.loaded()
      this.#keep(context)
    } catch (error) {
      this.#failed(error)
    }
    // The start counts until this turn is over: fill again after it.
    setImmediate(() => this.#serve())
  }

  #onGone(context: Context): void {
    const gone = () => {
      this.#active.delete(context)
      // Whoever ends a spare takes it from the list before.
      if (this.#spares.delete(context)) this.#failed(new ContextStartError('a spare ended by itself'))
      this.#serve()
    }
    const ended = ({ emptyBytes }: Receipt) => {
      if (emptyBytes !== null) this.#pool.spares.weighed(emptyBytes)
      gone()
    }
    void context.ended.then(ended, gone)
  }

  #keep(context: Context): void {
    this.#onGone(context)
    this.#spares.set(context, this.#now())
    if (this.#stop.signal.aborted) return this.#retire(context)
    // It stands in for one that is old.
    const [old] = this.#old()
    if (old && this.#spares.size > this.#pool.spares.wanted()) this.#retire(old)
  }

  #old(): Context[] {
    const before = this.#now() - SPARE_AGE_MS
    return [...this.#spares].filter(([, readyAt]) => readyAt < before).map(([context]) => context)
  }

  #tend(): void {
    const [oldest] = this.#spares.keys()
    if (oldest && this.#spares.size > this.#pool.spares.wanted()) this.#retire(oldest)
    this.#fill()
  }

  #retire(spare: Context): void {
    this.#spares.delete(spare)
    this.#active.add(spare)
    void spare[Symbol.asyncDispose]()
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted || this.#pool.launcher.isClosed) return
    this.#failures++
    this.#pool.log.warn({ error: messageOf(error), failures: this.#failures }, 'context start failed')
    if (error instanceof AgentLoadError) this.#pool.loads?.failed(error)
    if (error instanceof AgentLoadError || this.#failures >= PATIENCE) this.#refuseAll(error)
    void this.#rest(Math.min(BACKOFF_MS * 2 ** (this.#failures - 1), MAX_BACKOFF_MS))
  }

  async #rest(ms: number): Promise<void> {
    if (this.#resting) return
    this.#resting = true
    await delay(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {})
    this.#resting = false
    this.#fill()
  }

  #refuseAll(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
  }

  /** Ends every context. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the pool is closed'))
    clearTimeout(this.#soon)
    clearInterval(this.#tending)
    this.#refuseAll(this.#stop.signal.reason)
    await Promise.all(this.#starts)
    const all = [...this.#spares.keys(), ...this.#active]
    await Promise.all(all.map((context) => context[Symbol.asyncDispose]()))
  }
}
