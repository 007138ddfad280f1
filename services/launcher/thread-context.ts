import { limitsInForce } from '#lib/context'
import type { EndedBy, FromHost, FromLauncher, HeldLimits, Receipt, ToLauncher } from '#lib/wire'
import type { HeldContext } from './held.ts'
import { Output } from './output.ts'
import type { Occupant, ThreadHost } from './thread-host.ts'
import type { ThreadHosts } from './thread-hosts.ts'

type Start = Extract<ToLauncher, { t: 'start' }>
type Acquire = Extract<ToLauncher, { t: 'acquire' }>

/** What a thread is started with. */
export interface ThreadContextOptions {
  start: Start
  hosts: ThreadHosts
  tell: (message: FromLauncher) => void
}

/** How long a thread may take to end before its host is killed: its slot is free within its timeout + 1 s. */
const END_MS = 450
/** No one waits for the slot of an attempt that has given its result; killing the host would cost its neighbours. */
const RELEASE_MS = 5000

/** What is held of every thread: no wall, and what a thread starts lives as long as its host. */
export const THREAD_HELD: HeldLimits = {
  memoryBy: 'heap-limit',
  processes: null,
  openFiles: null,
  diskBytes: null,
  cpuWeight: null,
}

/**
 * One context of level thread as the launcher sees it. T1: `ended` is told exactly once. T2: it ends at timeout + grace
 * even when its worker says nothing more, and with its host when it cannot be ended alone.
 */
export class ThreadContext implements HeldContext, Occupant {
  readonly #options: ThreadContextOptions
  readonly #output: Output
  readonly #startedAt = Date.now()
  readonly #ended = Promise.withResolvers<void>()
  readonly #started = Promise.withResolvers<void>()
  #host: ThreadHost | undefined
  #acquired: { at: number; by: Acquire } | undefined
  #acquires = 0
  #endedBy: EndedBy | undefined
  #timer: NodeJS.Timeout | undefined
  #entered = false
  #over = false
  threadId: number | undefined

  constructor(options: ThreadContextOptions) {
    this.#options = options
    const { context, limits } = options.start
    const pass = (stream: 'stdout' | 'stderr', text: string) =>
      options.tell({ t: 'output', context, stream, text })
    this.#output = new Output(limits.outputBytes, pass, () => this.end('output-limit'))
    this.#started.promise.catch(() => {})
  }

  get ended(): Promise<void> {
    return this.#ended.promise
  }

  get isAcquired(): boolean {
    return this.#acquired !== undefined
  }

  async start(): Promise<void> {
    const { start, hosts, tell } = this.#options
    const { context, limits, alone } = start
    try {
      const host = await (alone ? hosts.takeAlone(limits) : hosts.take(limits))
      this.#host = host
      if (this.#endedBy) throw new Error('it was ended before it was started')
      host.enter(context, this)
      this.#entered = true
      host.send({ t: 'start', context, heapMiB: limits.heapMiB })
      await this.#started.promise
      tell({ t: 'started', context, pid: host.pid, uid: host.uid })
    } catch (error) {
      tell({ t: 'start-failed', context, message: (error as Error).message })
      this.end('aborted')
      if (!this.#entered) this.#dispose()
    }
  }

  async acquire(message: Acquire): Promise<void> {
    const { context, memoryBytes, timeoutMs, graceMs } = message
    const reuse = this.#acquires++
    this.#acquired ??= { at: Date.now(), by: message }
    this.#host?.send({ t: 'acquire', context, memoryBytes })
    this.#timer ??= setTimeout(() => this.end('timeout'), timeoutMs + graceMs)
    this.#options.tell({ t: 'acquired', context, reuse })
  }

  end(by: EndedBy): void {
    if (this.#endedBy || this.#over) return
    this.#endedBy = by
    clearTimeout(this.#timer)
    const { context } = this.#options.start
    this.#host?.send({ t: 'end', context })
    this.#timer = setTimeout(() => this.#host?.kill(context), by === 'released' ? RELEASE_MS : END_MS)
  }

  hear(message: FromHost): void {
    if (message.t === 'started') {
      this.threadId = message.threadId
      this.#started.resolve()
    } else if (message.t === 'start-failed') this.#started.reject(new Error(message.message))
    else if (message.t === 'output') this.#output.push(message.stream, Buffer.from(message.text))
    else if (message.t === 'over') this.end('out-of-memory')
    else this.#finish(message.outOfMemory ? 'out-of-memory' : 'exit', message)
  }

  lost(fault: 'out-of-memory' | 'signal' | undefined, signal: string | null): void {
    this.#finish(fault ?? 'host-lost', { exitCode: null, signal, cpuMs: null, peakBytes: null })
  }

  #finish(ownEnd: EndedBy, measured: Measured): void {
    if (this.#over) return
    this.#over = true
    this.#started.reject(new Error('its thread ended before it was ready'))
    const { start, tell } = this.#options
    const receipt = this.#receipt(ownEnd, measured)
    // That it has started, or why not, is told first, also where both came at once.
    const toldFirst = this.#started.promise.catch(() => {})
    void toldFirst.then(() => {
      tell({ t: 'ended', context: start.context, receipt })
      this.#dispose()
    })
  }

  #receipt(ownEnd: EndedBy, { exitCode, signal = null, cpuMs, peakBytes }: Measured): Receipt {
    const { context, limits } = this.#options.start
    const { memoryBytes = 0, timeoutMs = 0 } = this.#acquired?.by ?? {}
    const overshootBytes = peakBytes === null ? null : Math.max(0, peakBytes - memoryBytes)
    return {
      context,
      level: 'thread',
      reuse: Math.max(0, this.#acquires - 1),
      pid: this.#host!.pid,
      uid: this.#host!.uid,
      limits: limitsInForce(THREAD_HELD, { ...limits, memoryBytes, timeoutMs }),
      emptyBytes: null,
      peakBytes,
      overshootBytes,
      cpuMs,
      startedAt: this.#startedAt,
      readyAt: null,
      acquiredAt: this.#acquired?.at ?? null,
      endedAt: Date.now(),
      endedBy: this.#why(ownEnd),
      exitCode: this.#endedBy ? null : exitCode,
      signal,
      leftOver: { processes: null, ipcObjects: null },
    }
  }

  /** A thread without memory closes its channel before it has ended: its worker, which waits no longer, releases it. */
  #why(ownEnd: EndedBy): EndedBy {
    if (this.#endedBy === 'released' && ownEnd === 'out-of-memory') return ownEnd
    return this.#endedBy ?? ownEnd
  }

  #dispose(): void {
    clearTimeout(this.#timer)
    const { context, alone } = this.#options.start
    this.#host?.leave(context)
    if (alone) this.#host?.kill()
    this.#ended.resolve()
  }
}

/** What is known of a thread that has ended; of the last four, what the host could still measure. */
interface Measured {
  exitCode: number | null
  signal?: string | null
  cpuMs: number | null
  peakBytes: number | null
}
