import { CANCELLED_REASON, type QueueRef } from '#lib/queue'
import { type Log, messageOf } from '#lib/runtime'
import { attribute, bullTelemetry } from '#lib/telemetry'
import { trace } from '@opentelemetry/api'
import { setTimeout as delay } from 'node:timers/promises'
import { DelayedError, type Job, WaitingError, Worker as BullWorker } from 'bullmq'
import type { Redis } from 'ioredis'
import { type AttemptParts, begin, runAttempt } from './attempt.ts'
import { CancelListener } from './cancel-listener.ts'
import { toBullError } from './outcome.ts'
import { report } from './report.ts'

/** A lock that is renewed often leaves much of its time to end the attempts of a worker that renews no more. */
const RENEWALS_PER_LOCK = 6
/** So long after its last renewal a lock counts as held: one renewal and a half. */
const TRUST_PER_LOCK = 1 / 4
/** Two passes of the stall check find a job whose worker is gone: they are short beside the lock. */
const STALLED_CHECKS_PER_LOCK = 6
const INTERRUPTED_RETRY_MS = 1_000
/** What interrupted attempts have to end, be recorded and be handed back; after it the connection is cut. */
const HAND_BACK_MS = 5_000
/** The reason that libs/context reads as: not the request's fault. */
const INTERRUPTED = 'interrupted'
/** The reason of a request that its caller does not want any more. */
const CANCELLED = 'cancelled'

export interface WorkerOptions {
  queue: QueueRef
  redis: Redis
  /** A connection of its own, over which cancels arrive. Disconnected when the worker ends. */
  cancels: Redis
  slots: number
  /** Attempts of a request at most. */
  attempts: number
  /** How long a request's record is kept after its end, milliseconds. */
  keepMs: number
  /** How long a drain waits for running attempts, milliseconds. */
  drainMs: number
  /** How long a job is this worker's without a sign of life, milliseconds. */
  lockMs: number
  parts: AttemptParts
  log: Log
}

/**
 * Serves one agent type's queue: takes jobs into its slots and runs each attempt in a fresh context.
 * Disposing drains: no new attempt is taken, running ones have `drainMs`, then they are interrupted and go back
 * to the queue without having used an attempt. A Redis that is away then ends the drain 5 s later: the jobs stall.
 */
export class Worker implements AsyncDisposable {
  readonly #bull: BullWorker
  readonly #options: WorkerOptions
  /** With when Redis last confirmed the lock of each. */
  readonly #running = new Map<Job, number>()
  #cancels!: CancelListener

  private constructor(options: WorkerOptions) {
    this.#options = options
    const { queue, redis, slots, lockMs, keepMs } = options
    // For jobs that say nothing of it, as those of plain BullMQ: else they would lie in Redis for ever.
    const kept = { age: Math.ceil(keepMs / 1000) }
    this.#bull = new BullWorker(queue.name, (job, token, signal) => this.#process(job, token!, signal!), {
      prefix: queue.prefix,
      connection: redis,
      concurrency: slots,
      autorun: false,
      lockDuration: lockMs,
      lockRenewTime: Math.floor(lockMs / RENEWALS_PER_LOCK),
      stalledInterval: Math.ceil(lockMs / STALLED_CHECKS_PER_LOCK),
      maxStalledCount: 1,
      removeOnComplete: kept,
      removeOnFail: kept,
      telemetry: bullTelemetry(),
    })
    this.#listen()
  }

  /** Begins to take jobs. */
  static async open(options: WorkerOptions): Promise<Worker> {
    const worker = new Worker(options)
    await worker.#bull.waitUntilReady()
    worker.#cancels = await worker.#openCancels()
    worker.#bull.run().catch((error) => options.log.error({ error: messageOf(error) }, 'worker loop ended'))
    return worker
  }

  /** Attempts that run now. */
  get active(): number {
    return this.#running.size
  }

  /** False when Redis has not confirmed the locks of running attempts for a while: they may run elsewhere soon. */
  get holdsLocks(): boolean {
    const trustedSince = Date.now() - this.#options.lockMs * TRUST_PER_LOCK
    return [...this.#running.values()].every((confirmedAt) => confirmedAt > trustedSince)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { drainMs, redis, log } = this.#options
    const closed = this.#bull.close()
    log.info({ active: this.active }, 'no more jobs are taken')
    const cut = setTimeout(() => {
      log.warn({ active: this.active, drainMs }, 'drain deadline passed')
      this.#bull.cancelAllJobs(INTERRUPTED)
    }, drainMs)
    const left = new AbortController()
    const late = delay(drainMs + HAND_BACK_MS, true, { signal: left.signal }).catch(() => false)
    if (await Promise.race([closed, late])) {
      log.warn({ active: this.active }, 'drain given up, jobs will stall')
      redis.disconnect()
    }
    clearTimeout(cut)
    left.abort()
    await this.#cancels[Symbol.asyncDispose]()
  }

  async #process(job: Job, token: string, signal: AbortSignal): Promise<{ result: unknown }> {
    const { parts, redis, queue, log, keepMs, attempts } = this.#options
    this.#running.set(job, Date.now())
    try {
      if (await this.#cancels.isCancelled(job.id!)) this.#bull.cancelJob(job.id!, CANCELLED)
      const attempt = await runAttempt(begin(job, token, signal), parts)
      const verdict = await report(attempt, { redis, queue, log, keepMs })
      if (verdict.outcome === 'completed') return { result: verdict.result ?? null }
      if (verdict.outcome === 'interrupted') throw await this.#handBack(job, token)
      // A plain BullMQ producer names its own number of attempts: the agent type's is the most.
      throw toBullError({ ...verdict, permanent: verdict.permanent || job.attemptsMade + 1 >= attempts })
    } finally {
      this.#running.delete(job)
    }
  }

  /** Puts the job back without using an attempt. Gives what tells BullMQ that the job has been moved. */
  async #handBack(job: Job, token: string): Promise<Error> {
    const isClosing = this.#bull.closing !== undefined
    try {
      if (isClosing) await job.moveToWait(token)
      else await job.moveToDelayed(Date.now() + INTERRUPTED_RETRY_MS, token)
    } catch (error) {
      // Not ours any more: the stall check puts it back, or another worker has it already.
      this.#options.log.warn({ requestId: job.id, error: messageOf(error) }, 'job not handed back')
    }
    await this.#cancels.settle(job.id!)
    return isClosing ? new WaitingError() : new DelayedError()
  }

  #listen(): void {
    const { log, parts } = this.#options
    parts.redaction.onRevoked((jobId) => {
      log.warn({ requestId: jobId }, 'attempt aborted: an operator has revoked what it holds')
      this.#bull.cancelJob(jobId, INTERRUPTED)
    })
    this.#bull.on('error', (error) => log.warn({ error: messageOf(error) }, 'queue connection'))
    this.#bull.on('locksRenewed', ({ jobIds }) => this.#confirm(new Set(jobIds)))
    this.#bull.on('lockRenewalFailed', (ids: string[]) => {
      log.warn({ requestIds: ids }, 'lock lost')
      for (const id of ids) this.#bull.cancelJob(id, INTERRUPTED)
    })
    this.#bull.on('failed', (job, error) => this.#attemptFailed(job, error))
  }

  /**
   * The job has been moved: back for another attempt, which a cancelled one does not get, or to its end. BullMQ says so
   * inside the span of the attempt, the only word there is of a cancelled job that it failed without one.
   */
  #attemptFailed(job: Job | undefined, error: Error): void {
    if (job) void this.#cancels.settle(job.id!)
    if (!job || error.message !== CANCELLED_REASON) return
    trace.getActiveSpan()?.setAttributes({ [attribute.outcome]: CANCELLED, [attribute.errorType]: CANCELLED })
    this.#options.log.info({ requestId: job.id }, 'cancelled before its attempt')
  }

  #confirm(ids: Set<string>): void {
    for (const job of this.#running.keys()) if (ids.has(job.id!)) this.#running.set(job, Date.now())
  }

  #openCancels(): Promise<CancelListener> {
    const { redis, queue, cancels: channel, log } = this.#options
    const running = () => [...this.#running.keys()].map(({ id }) => id!)
    const abort = (id: string) => this.#bull.cancelJob(id, CANCELLED)
    return CancelListener.open({ redis, queue, channel, log, running, abort })
  }
}
