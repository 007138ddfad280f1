import { setTimeout as delay } from 'node:timers/promises'
import { type Log, messageOf } from '#lib/runtime'
import type { JsonSchema } from '#lib/wire'
import type { Bundle } from './bundle.ts'
import { Context, type ContextLimits, type ContextOptions } from './context.ts'
import { AgentLoadError, LauncherGoneError } from './errors.ts'
import type { LauncherLink } from './link.ts'

/** What a pool is made of. */
export interface PoolOptions {
  launcher: LauncherLink
  bundle: Bundle
  limits: ContextLimits
  permissions?: ('child-process' | 'worker')[]
  /** Started and loaded contexts that wait. More of them hide longer bursts and cost about 30 MB each. */
  spares: number
  /** Contexts alive at once, spares among them; at least slots + 1. */
  maxContexts: number
  log: Log
}

interface Waiter {
  resolve(context: Context): void
  reject(error: unknown): void
}

const SPARE_AGE_MS = 600_000
const STARTS_AT_ONCE = 4
const SPARE_DELAY_MS = 15
const BACKOFF_MS = 100
const MAX_BACKOFF_MS = 10_000
/** Failed starts in a row after which those who wait are told. */
const PATIENCE = 3

/**
 * Fresh contexts, some started ahead. P1: a context is given out once. P2: a spare older than ten minutes is replaced.
 * P3: at most `maxContexts` are alive. P4: a start that fails is tried again, later each time.
 */
export class ContextPool implements AsyncDisposable {
  readonly #options: ContextOptions
  readonly #pool: PoolOptions
  readonly #spares = new Map<Context, NodeJS.Timeout>()
  readonly #active = new Set<Context>()
  readonly #waiters: Waiter[] = []
  readonly #stop = new AbortController()
  readonly #starts = new Set<Promise<void>>()
  #failures = 0
  #resting = false
  #soon: NodeJS.Timeout | undefined

  private constructor(pool: PoolOptions) {
    this.#pool = pool
    const { launcher, bundle, limits, permissions = [], log } = pool
    this.#options = { launcher, listener: launcher.listener, bundle, limits, permissions, log }
    void launcher.closed.then(() => this.#refuseAll(new LauncherGoneError()))
  }

  /** Opens the pool and begins to start spares. */
  static async open(options: PoolOptions): Promise<ContextPool> {
    const pool = new ContextPool(options)
    pool.#fill()
    return pool
  }

  /** What the agent accepts and promises, taken in a context of its own. @throws AgentLoadError */
  async describe(): Promise<{ input: JsonSchema | null; output: JsonSchema | null }> {
    await using context = await this.acquire()
    return await context.describe()
  }

  /**
   * A loaded context that no attempt has entered; it is the caller's until it has ended.
   * @throws AgentLoadError, ContextStartError after some tries; LauncherGoneError; the signal's reason
   */
  async acquire(signal?: AbortSignal): Promise<Context> {
    signal?.throwIfAborted()
    this.#stop.signal.throwIfAborted()
    if (this.#pool.launcher.isClosed) throw new LauncherGoneError()
    const { promise, resolve, reject } = Promise.withResolvers<Context>()
    const waiter = { resolve, reject }
    const onAbort = () => {
      this.#waiters.splice(this.#waiters.indexOf(waiter) >>> 0, 1)
      reject(signal!.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiters.push(waiter)
    this.#serve()
    return promise.finally(() => signal?.removeEventListener('abort', onAbort))
  }

  /** How many contexts there are. */
  stats(): { spares: number; starting: number; active: number } {
    return { spares: this.#spares.size, starting: this.#starts.size, active: this.#active.size }
  }

  #serve(): void {
    for (const [context, timer] of this.#spares) {
      if (this.#waiters.length === 0) break
      clearTimeout(timer)
      this.#spares.delete(context)
      this.#active.add(context)
      this.#waiters.shift()!.resolve(context)
    }
    if (this.#waiters.length > 0) this.#fill()
    else this.#fillSoon()
  }

  /** A start costs the launcher milliseconds: first those who have a context may begin. */
  #fillSoon(): void {
    clearTimeout(this.#soon)
    this.#soon = setTimeout(() => this.#fill(), SPARE_DELAY_MS).unref()
  }

  #fill(): void {
    const { spares, maxContexts } = this.#pool
    while (
      !this.#resting &&
      !this.#stop.signal.aborted &&
      !this.#pool.launcher.isClosed &&
      this.#starts.size < STARTS_AT_ONCE &&
      this.#spares.size + this.#starts.size < spares + this.#waiters.length &&
      this.#spares.size + this.#starts.size + this.#active.size < maxContexts
    ) {
      const start = this.#start().finally(() => this.#starts.delete(start))
      this.#starts.add(start)
    }
  }

  async #start(): Promise<void> {
    try {
      const context = await Context.start(this.#options)
      this.#failures = 0
      this.#keep(context)
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#failed(error)
    }
    // The start counts until this turn is over: fill again after it.
    setImmediate(() => this.#serve())
  }

  #keep(context: Context): void {
    const gone = () => {
      clearTimeout(this.#spares.get(context))
      this.#spares.delete(context)
      this.#active.delete(context)
      this.#serve()
    }
    void context.ended.then(gone, gone)
    const age = setTimeout(() => void context[Symbol.asyncDispose](), SPARE_AGE_MS).unref()
    this.#spares.set(context, age)
    if (this.#stop.signal.aborted) void context[Symbol.asyncDispose]()
  }

  #failed(error: unknown): void {
    this.#failures++
    this.#pool.log.warn({ error: messageOf(error), failures: this.#failures }, 'context start failed')
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
    this.#refuseAll(this.#stop.signal.reason)
    await Promise.all(this.#starts)
    const all = [...this.#spares.keys(), ...this.#active]
    await Promise.all(all.map((context) => context[Symbol.asyncDispose]()))
  }
}
