import type { QueueRef } from '#lib/queue'
import { type Log, messageOf } from '#lib/runtime'
import { bullTelemetry } from '#lib/telemetry'
import { DelayedError, type Job, WaitingError, Worker as BullWorker } from 'bullmq'
import type { Redis } from 'ioredis'
import { type AttemptParts, begin, runAttempt } from './attempt.ts'
import { toBullError, type Verdict } from './outcome.ts'
import { report } from './report.ts'

/** Lock and stall timing of every worker, milliseconds: a job of a killed worker runs again after at most their sum. */
const LOCK_MS = 30_000
const STALLED_CHECK_MS = 5_000
const INTERRUPTED_RETRY_MS = 1_000

export interface WorkerOptions {
  queue: QueueRef
  redis: Redis
  slots: number
  /** How long a request's record is kept after its end, milliseconds. */
  keepMs: number
  /** How long a drain waits for running attempts, milliseconds. */
  drainMs: number
  parts: AttemptParts
  log: Log
}

/**
 * Serves one agent type's queue: takes jobs into its slots and runs each attempt in a fresh context.
 * Disposing drains: no new attempt is taken, running ones have `drainMs`, then they are interrupted and go back
 * to the queue without having used an attempt.
 */
export class Worker implements AsyncDisposable {
  readonly #bull: BullWorker
  readonly #options: WorkerOptions
  #active = 0

  private constructor(options: WorkerOptions) {
    this.#options = options
    const { queue, redis, slots } = options
    this.#bull = new BullWorker(queue.name, (job, token, signal) => this.#process(job, token!, signal!), {
      prefix: queue.prefix,
      connection: redis,
      concurrency: slots,
      autorun: false,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: 1,
      telemetry: bullTelemetry(),
    })
    this.#listen()
  }

  /** Begins to take jobs. */
  static async open(options: WorkerOptions): Promise<Worker> {
    const worker = new Worker(options)
    await worker.#bull.waitUntilReady()
    worker.#bull.run().catch((error) => options.log.error({ error: messageOf(error) }, 'worker loop ended'))
    return worker
  }

  /** Attempts that run now. */
  get active(): number {
    return this.#active
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#bull.close()
    const cut = setTimeout(
      () => this.#bull.cancelAllJobs('the worker is shutting down'),
      this.#options.drainMs,
    )
    await closed.finally(() => clearTimeout(cut))
  }

  async #process(job: Job, token: string, signal: AbortSignal): Promise<{ result: unknown }> {
    const { parts, redis, queue, log, keepMs } = this.#options
    this.#active++
    try {
      const attempt = await runAttempt(begin(job, token, signal), parts)
      const verdict = await report(attempt, { redis, queue, log, keepMs })
      return await this.#settle(job, token, verdict)
    } finally {
      this.#active--
    }
  }

  async #settle(job: Job, token: string, verdict: Verdict): Promise<{ result: unknown }> {
    if (verdict.outcome === 'completed') return { result: verdict.result ?? null }
    if (verdict.outcome !== 'interrupted') throw toBullError(verdict)
    if (this.#bull.closing) {
      await job.moveToWait(token)
      throw new WaitingError()
    }
    await job.moveToDelayed(Date.now() + INTERRUPTED_RETRY_MS, token)
    throw new DelayedError()
  }

  #listen(): void {
    const { log } = this.#options
    this.#bull.on('error', (error) => log.warn({ error: messageOf(error) }, 'queue connection'))
    this.#bull.on('lockRenewalFailed', (ids: string[]) => {
      log.warn({ requestIds: ids }, 'lock lost')
      for (const id of ids) this.#bull.cancelJob(id, 'the lock on the job was lost')
    })
  }
}
