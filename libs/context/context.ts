import { randomBytes } from 'node:crypto'
import { inSpan } from '#lib/telemetry'
import type { EndedBy, FromContext, FromLauncher, Receipt, ToContext, WireError } from '#lib/wire'
import { Allowance } from './allowance.ts'
import type { AttemptEvents, AttemptInput } from './attempt.ts'
import { Channel, type End } from './channel.ts'
import { expectMessage, loadProblem, reasonFor } from './ends.ts'
import type { ContextLimits, ContextOptions, Description } from './context-options.ts'
import { AgentLoadError, CallLimitError, ContextStartError } from './errors.ts'
import { type AttemptEnd, conclude } from './outcome.ts'
import { joinCodeCache, loadFrames } from './load-frames.ts'
import { lostReceipt } from './lost-receipt.ts'
import { mapError } from './stack.ts'
import { Stopper } from './stopper.ts'

const MIB = 2 ** 20
/** Calls of one attempt to other agents: each becomes a job, and is kept after its end. */
const CALLS = 1000
/** V8's heap before the agent has loaded anything; the kernel's limit, which counts all, comes on top. */
const EMPTY_HEAP_MIB = 16

const heapMiBOf = ({ memoryBytes }: ContextLimits) => Math.ceil(memoryBytes / MIB) + EMPTY_HEAP_MIB

/**
 * One context as its worker sees it. C1: one attempt enters it at most. C2: nothing that it says throws here.
 * C3: when `run` resolves, everything the attempt started is gone.
 */
export class Context implements AsyncDisposable {
  /** Random, 24 hex digits; never used again. */
  readonly id = randomBytes(12).toString('hex')
  readonly #options: ContextOptions
  readonly #channel: Channel
  readonly #allowance: Allowance
  readonly #started = Promise.withResolvers<void>()
  readonly #acquired = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<Receipt>()
  #readyAt: number | null = null
  #on: AttemptEvents = {}
  #onCodeCache: ((part: string) => void) | undefined
  #used = false
  #entering: Promise<void> | undefined
  #calls = 0
  #identity: { pid: number; uid: number } | undefined

  private constructor(options: ContextOptions) {
    this.#options = options
    this.#allowance = new Allowance(options.limits.outputBytes)
    this.#channel = new Channel(this.#allowance, (message) => this.#forward(message))
    for (const one of [this.#started, this.#acquired, this.#ended]) one.promise.catch(() => {})
    const { launcher, listener } = options
    listener.expect(this.id, (arrival) => this.#channel.attach(arrival))
    const gone = () => this.#gone('the launcher has ended')
    launcher.listen(this.id, { hear: (message) => this.#hear(message), gone })
  }

  /** Starts a context and loads the agent in it. @throws AgentLoadError, ContextStartError */
  static async start(options: ContextOptions): Promise<Context> {
    const context = new Context(options)
    try {
      await context.#load()
      return context
    } catch (error) {
      await context[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Its first process, as the launcher told; 0 before that. */
  get pid(): number {
    return this.#identity?.pid ?? 0
  }

  /** Resolves with the receipt when the context has ended. Rejects when the launcher ended without one. */
  get ended(): Promise<Receipt> {
    return this.#ended.promise
  }

  /**
   * Tells the launcher that an attempt is about to enter: from then on its limits hold, and its time runs. `run` waits
   * for it; whoever has something else to wait for calls it before. Rejects when the context is gone.
   */
  enter(): Promise<void> {
    if (!this.#entering) {
      this.#entering = this.#acquired.promise
      const { memoryBytes, timeoutMs, graceMs } = this.#options.limits
      this.#options.launcher.send({ t: 'acquire', context: this.id, memoryBytes, timeoutMs, graceMs })
    }
    return this.#entering
  }

  /** What the agent accepts and promises, as JSON Schema, and V8's cache of its code. The context is used up by it. */
  async describe(): Promise<Description> {
    await this.#enter()
    const parts: string[] = []
    this.#onCodeCache = (part) => parts.push(part)
    const end = await this.#channel.converse('describing', { t: 'describe' })
    await this.#end('released')
    if (end.kind === 'message' && end.message.t === 'described')
      return { input: end.message.input, output: end.message.output, codeCache: joinCodeCache(parts) }
    throw new AgentLoadError(mapError(loadProblem(end), this.#options.bundle))
  }

  /** Runs one attempt and ends the context. Never throws: whatever happens is in the end's outcome. */
  async run(attempt: AttemptInput, on: AttemptEvents, signal: AbortSignal): Promise<AttemptEnd> {
    this.#on = on
    const { limits, bundle } = this.#options
    const abort = (reason: string) => this.#channel.send({ t: 'abort', reason })
    try {
      await this.#enter()
    } catch {
      return conclude({
        end: { kind: 'closed' },
        stoppedBy: undefined,
        receipt: await this.#receipt(),
        bundle,
      })
    }
    using stopper = new Stopper({ limits, signal, abort, kill: (by) => this.#tellEnd(by) })
    const message: ToContext = { t: 'run', ...attempt }
    const end = await this.#channel.converse('running', message)
    this.#hand(() => on.spoken?.())
    await inSpan('context.free', {}, () => this.#end(stopper.endedBy ?? reasonFor(end), end))
    return conclude({ end, stoppedBy: stopper.stoppedBy, receipt: await this.#receipt(), bundle })
  }

  async #load(): Promise<void> {
    const { launcher, bundle, limits, permissions, alone } = this.#options
    const load = {
      heapMiB: heapMiBOf(limits),
      outputBytes: limits.outputBytes,
      childProcess: permissions.includes('child-process'),
      worker: permissions.includes('worker'),
    }
    const timer = setTimeout(() => this.#tellEnd('timeout'), limits.loadTimeoutMs)
    try {
      const hello = this.#channel.converse('starting')
      launcher.send({ t: 'start', context: this.id, limits: load, ...(alone ? { alone } : {}) })
      await this.#started.promise
      expectMessage(await hello, 'it said nothing')
      const end = await this.#channel.converse('loading', loadFrames(bundle))
      if (end.kind === 'closed') await this.#refuseLostHost()
      if (end.kind !== 'message' || end.message.t !== 'loaded')
        throw new AgentLoadError(mapError(loadProblem(end), bundle))
      this.#readyAt = Date.now()
    } finally {
      clearTimeout(timer)
    }
  }

  /** Another context's fault, or one that nobody can name, is no fault of the agent's module. */
  async #refuseLostHost(): Promise<void> {
    await this.#end('aborted', { kind: 'closed' })
    const { endedBy } = await this.#receipt()
    if (endedBy === 'host-lost') throw new ContextStartError('its thread host has ended')
  }

  async #enter(): Promise<void> {
    if (this.#used) throw new Error('a context is used once')
    this.#used = true
    await this.enter()
  }

  /** What only an attempt in its course may say. */
  #forward(message: FromContext): void {
    const on = this.#on
    this.#hand(() => {
      if (message.t === 'log') on.log?.(message)
      else if (message.t === 'progress') on.progress?.(message.value)
      else if (message.t === 'emit') on.emit?.(message.value)
      else if (message.t === 'span') on.span?.(message.span)
      else if (message.t === 'started') on.started?.(Date.now())
      else if (message.t === 'call') void this.#call(message)
      else if (message.t === 'code-cache') this.#onCodeCache?.(message.part)
    })
  }

  /** Handlers are ours, so their faults are not the context's. */
  #hand(handle: () => void): void {
    try {
      handle()
    } catch (error) {
      this.#options.log.error({ context: this.id, error: String(error) }, 'handler of a context failed')
    }
  }

  async #call({ id, agentType, input, spanId }: Extract<FromContext, { t: 'call' }>): Promise<void> {
    try {
      if (++this.#calls > CALLS) throw new CallLimitError(CALLS)
      if (!this.#on.call) throw Object.assign(new Error('calls are not served here'), { type: 'denied' })
      const value = await this.#on.call(agentType, input, spanId)
      this.#channel.send({ t: 'reply', id, ok: true, value: value ?? null })
    } catch (cause) {
      const { type, name, message } = cause as Error & { type?: unknown }
      const error: WireError = { type: typeof type === 'string' ? type : name, message }
      this.#channel.send({ t: 'reply', id, ok: false, error })
    }
  }

  #hear(message: FromLauncher): void {
    if (message.t === 'started') {
      this.#identity = message
      this.#started.resolve()
    } else if (message.t === 'acquired') this.#acquired.resolve()
    else if (message.t === 'start-failed') this.#gone(message.message)
    else if (message.t === 'ended') {
      this.#ended.resolve({ ...message.receipt, readyAt: this.#readyAt })
      this.#gone('it ended')
    } else if (message.t === 'output') this.#print(message)
  }

  #print({ stream, text }: Extract<FromLauncher, { t: 'output' }>): void {
    try {
      this.#allowance.take(Buffer.byteLength(text))
    } catch (error) {
      return this.#channel.violate(error as Error)
    }
    if (this.#on.output) this.#on.output(stream, text)
    else this.#options.log.debug({ context: this.id, stream, text }, 'spare wrote to its console')
  }

  #gone(why: string): void {
    const error = new ContextStartError(why)
    this.#started.reject(error)
    this.#acquired.reject(error)
    this.#ended.reject(error)
    this.#channel.close()
    this.#options.listener.forget(this.id)
    this.#options.launcher.forget(this.id)
  }

  #tellEnd(by: EndedBy): void {
    this.#options.launcher.send({ t: 'end', context: this.id, by })
  }

  /** A context that closed its channel is ending by itself: its own end says more than our kill would. */
  async #end(by: EndedBy, end?: End): Promise<void> {
    const { graceMs } = this.#options.limits
    const isEnding = end?.kind === 'closed'
    if (!isEnding) this.#tellEnd(by)
    const timer = isEnding ? setTimeout(() => this.#tellEnd(by), graceMs) : undefined
    await this.#ended.promise.catch(() => {})
    clearTimeout(timer)
  }

  /** Without a launcher no one measures: then what we know ourselves. */
  async #receipt(): Promise<Receipt> {
    const { launcher, limits } = this.#options
    return this.#ended.promise.catch(async () =>
      lostReceipt({
        context: this.id,
        level: launcher.level,
        held: await launcher.opened,
        asked: { ...limits, heapMiB: heapMiBOf(limits) },
        identity: this.#identity,
      }),
    )
  }

  /** Ends the context, whatever it does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('released')
  }
}
