import { Worker } from 'node:worker_threads'
import type { FromHost, ThreadMeasures, ThreadSeed, ToHost } from '#lib/wire'

/** What a thread has posted: a FromThread, if it is our code that did. */
type Posted = { [Key in 't' | 'stream' | 'text' | 'message']?: unknown } | null

/**
 * How often a thread that loads its module, or that an attempt has entered, is measured: buffers are allocated at 2 GB/s, so
 * between two looks many fit.
 */
const LOOK_MS = 50
const MIB = 2 ** 20
/** How long a thread that ends is waited for, to say what it used. */
const LAST_LOOK_MS = 100
/** V8's default would let three times as much of young objects lie around before it looks. */
const YOUNG_MIB = 8
const STACK_MIB = 4
const EXTRA_MIB = 16

/** What a context's thread is made of. */
export interface ThreadOptions {
  context: string
  heapMiB: number
  host: Extract<ToHost, { t: 'host' }>
  tell: (message: FromHost) => void
}

/** One context as its host sees it: a worker thread that serves one attempt. `ended` is told exactly once. */
export class ContextThread {
  readonly #options: ThreadOptions
  readonly #taken = new SharedArrayBuffer(4)
  readonly #worker: Worker
  #outOfMemory = false
  #emptyBytes: number | undefined
  #measures: ThreadMeasures = { cpuMs: null, peakBytes: null }
  #entered = false
  #watch: NodeJS.Timeout | undefined

  /** @throws when no thread can be made */
  constructor(options: ThreadOptions) {
    this.#options = options
    const { context, heapMiB, host } = options
    const { entry, contextSocket, brokerSocket, threadArguments } = host
    const seed: ThreadSeed = {
      context,
      contextSocket,
      taken: this.#taken,
      ...(brokerSocket ? { brokerSocket } : {}),
    }
    this.#worker = new Worker(entry, {
      eval: true,
      workerData: seed,
      env: {},
      argv: [],
      execArgv: threadArguments,
      stdin: false,
      stdout: true,
      stderr: true,
      resourceLimits: {
        maxOldGenerationSizeMb: heapMiB,
        maxYoungGenerationSizeMb: YOUNG_MIB,
        stackSizeMb: STACK_MIB,
      },
    })
    this.#worker.on('message', (said: Posted) => this.#hear(said))
    this.#worker.on('error', (error: NodeJS.ErrnoException) => this.#failed(error))
    this.#worker.once('exit', (exitCode) => this.#over(exitCode))
    // Until an attempt brings its own limit, buffers may hold what the heap may.
    this.#keepLooking(heapMiB * MIB)
  }

  /** An attempt enters. What is there now is idle and answers before the attempt can reach it. */
  acquire(memoryBytes: number): void {
    this.#entered = true
    void this.#look()
    this.#keepLooking(memoryBytes)
  }

  /** Ends it wherever it is, in a loop or in a wait; not inside of native code. */
  async end(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const late = setTimeout(resolve, LAST_LOOK_MS)
    await Promise.race([this.#look(), promise])
    clearTimeout(late)
    await this.#worker.terminate()
  }

  #keepLooking(limitBytes: number): void {
    clearInterval(this.#watch)
    this.#watch = setInterval(() => void this.#look(limitBytes), LOOK_MS)
  }

  /** One large array may pass V8's limit unseen. Node gives the heap so much more to end a thread in order. */
  get #mostHeapBytes(): number {
    return (this.#options.heapMiB + EXTRA_MIB) * MIB
  }

  async #look(limitBytes = Infinity): Promise<void> {
    try {
      const [heap, cpu] = await Promise.all([this.#worker.getHeapStatistics(), this.#worker.cpuUsage()])
      const bytes = heap.used_heap_size + heap.external_memory
      this.#measures = { cpuMs: (cpu.user + cpu.system) / 1000, peakBytes: this.#peak(bytes) }
      const isOver = heap.external_memory > limitBytes || heap.used_heap_size > this.#mostHeapBytes
      if (isOver) this.#options.tell({ t: 'over', context: this.#options.context })
    } catch {} // it has ended
  }

  #peak(bytes: number): number | null {
    if (!this.#entered) return null
    this.#emptyBytes ??= bytes
    return Math.max(this.#measures.peakBytes ?? 0, bytes - this.#emptyBytes)
  }

  /** Any code in the thread can post here: what is not of these shapes is dropped. */
  #hear(said: Posted): void {
    const { context, tell } = this.#options
    if (said?.t === 'connected') tell({ t: 'started', context, threadId: this.#worker.threadId })
    else if (said?.t === 'loaded' && !this.#entered) clearInterval(this.#watch)
    else if (said?.t === 'start-failed' && typeof said.message === 'string')
      tell({ t: 'start-failed', context, message: said.message.slice(0, 1000) })
    else if (said?.t === 'output') this.#print(said)
  }

  #print({ stream, text }: Exclude<Posted, null>): void {
    if (typeof text !== 'string' || (stream !== 'stdout' && stream !== 'stderr')) return
    this.#options.tell({ t: 'output', context: this.#options.context, stream, text })
    const taken = new Int32Array(this.#taken)
    Atomics.add(taken, 0, Buffer.byteLength(text))
    Atomics.notify(taken, 0)
  }

  #failed({ code, message }: NodeJS.ErrnoException): void {
    const { context, tell } = this.#options
    if (code === 'ERR_WORKER_OUT_OF_MEMORY') this.#outOfMemory = true
    else tell({ t: 'output', context, stream: 'stderr', text: `${message}\n` })
  }

  #over(exitCode: number): void {
    clearInterval(this.#watch)
    const { context, tell } = this.#options
    tell({ t: 'ended', context, exitCode, outOfMemory: this.#outOfMemory, ...this.#measures })
  }
}
