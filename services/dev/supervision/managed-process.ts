import { setTimeout as delay } from 'node:timers/promises'
import { Backoff } from './backoff.ts'
import { ServiceNotReadyError, StoppingError } from './errors.ts'
import type { Guard } from './guard.ts'
import { type Facts, type Launch, launch, type Launched } from './launch.ts'
import { LogFile } from './log-file.ts'
import { endGroup, signalGroup, signalProcess } from './process-group.ts'

/** A service as the supervisor knows it. */
export interface ServiceSpec {
  name: string
  /** Makes one start; called again for every restart, with what the service announced before, so that it keeps its port. */
  launch(previous: Facts | undefined): Launch | Promise<Launch>
  /** Asks whether it is ready, again and again until it does not reject; absent: the service announces it on descriptor 3. */
  probe?: ((signal: AbortSignal) => Promise<void>) | undefined
  /** What has to follow each start before the service counts as ready; receives what it announced. */
  afterReady?: ((facts: Facts) => Promise<void>) | undefined
  /** What asks it to end. Default SIGTERM. */
  stopSignal?: NodeJS.Signals | undefined
  /** After this it is killed. Default 10 s. */
  stopTimeoutMs?: number | undefined
  /** After this a start counts as failed. Default 30 s. */
  readyTimeoutMs?: number | undefined
}

/** What a managed process needs around it. */
export interface ManagedOptions {
  logFile: string
  guard: Guard
  /** Progress for people: a service died, is started again, runs again. */
  say: (line: string) => void
  backoff?: Backoff | undefined
}

const STABLE_MS = 60_000
const GROUP_PATIENCE_MS = 1000
const PROBE_PAUSE_MS = 25

/**
 * One service kept running: started again with backoff when it dies, until it is stopped.
 * M1: at most one process group of it lives at a time. M2: after the disposal none does.
 */
export class ManagedProcess {
  readonly spec: ServiceSpec
  readonly #options: ManagedOptions
  readonly #log: LogFile
  readonly #backoff: Backoff
  readonly #stop = new AbortController()
  #running: Launched | undefined
  #loop: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined
  #facts: Facts | undefined
  restarts = 0

  constructor(spec: ServiceSpec, options: ManagedOptions) {
    this.spec = spec
    this.#options = options
    this.#log = new LogFile(options.logFile)
    this.#backoff = options.backoff ?? new Backoff()
  }

  /** Starts the service and waits until it is ready. @throws ServiceNotReadyError, StoppingError */
  async begin(): Promise<Facts> {
    const starting = this.#start()
    this.#loop = starting.then(
      (running) => this.#keepRunning(running),
      () => {},
    )
    await starting
    return this.facts
  }

  /** What the service announced at its last start. */
  get facts(): Facts {
    return this.#facts ?? {}
  }

  get #stopSignal(): NodeJS.Signals {
    return this.spec.stopSignal ?? 'SIGTERM'
  }

  /** The running leader, which is also the id of its group. */
  get pid(): number | undefined {
    return this.#running?.pid
  }

  /** Asks the service to end, so that it is started anew. */
  renew(): void {
    if (this.#running) signalProcess(this.#running.pid, this.#stopSignal)
  }

  /** Ends the whole group at once; for a second signal, where nothing can be awaited. */
  killNow(): void {
    this.#stop.abort()
    if (this.#running) signalGroup(this.#running.pid, 'SIGKILL')
  }

  /** Asks the service to end, kills it after its time, and leaves no process of its group. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stopped ??= this.#end()
    return this.#stopped
  }

  async #end(): Promise<void> {
    this.#stop.abort()
    await this.#endRunning()
    await this.#loop
    await this.#endRunning()
    this.#log.close()
  }

  async #endRunning(): Promise<void> {
    const running = this.#running
    if (!running) return
    signalProcess(running.pid, this.#stopSignal)
    await this.#untilGone(running, this.spec.stopTimeoutMs ?? 10_000)
  }

  /** Waits for the leader, then for its group; kills what stays. */
  async #untilGone(running: Launched, patienceMs: number): Promise<void> {
    const timer = setTimeout(() => signalGroup(running.pid, 'SIGKILL'), patienceMs)
    await running.exited
    clearTimeout(timer)
    await endGroup(running.pid, GROUP_PATIENCE_MS)
    this.#options.guard.release(running.pid)
    if (this.#running === running) this.#running = undefined
  }

  /** One start, up to readiness. Leaves nothing behind when it fails. */
  async #start(): Promise<Launched> {
    const what = await this.spec.launch(this.#facts)
    if (this.#stop.signal.aborted) throw new StoppingError(this.spec.name)
    const running = launch(what, this.#log.begin())
    if (running.pid > 0) {
      this.#running = running
      this.#options.guard.watch(running.pid, this.spec.probe ? this.#stopSignal : 'SELF')
    }
    try {
      this.#facts = await this.#untilReady(running)
      await this.spec.afterReady?.(this.#facts)
      return running
    } catch (error) {
      if (running.pid > 0) await this.#endRunning()
      throw error
    }
  }

  async #untilReady(running: Launched): Promise<Facts> {
    const timeoutMs = this.spec.readyTimeoutMs ?? 30_000
    const settled = new AbortController()
    const until = AbortSignal.any([settled.signal, this.#stop.signal])
    const ready = this.spec.probe ? this.#probe(this.spec.probe, until) : running.announced
    const late = delay(timeoutMs, `was not ready after ${timeoutMs / 1000} s`, { signal: until }).catch(
      () => '',
    )
    const first = await Promise.race([ready, running.exited, late])
    settled.abort()
    if (typeof first !== 'string') return first
    if (this.#stop.signal.aborted) throw new StoppingError(this.spec.name)
    throw new ServiceNotReadyError(this.spec.name, first, {
      file: this.#log.path,
      lines: this.#log.lastLines(),
    })
  }

  async #probe(probe: NonNullable<ServiceSpec['probe']>, signal: AbortSignal): Promise<Facts> {
    for (;;) {
      try {
        await probe(signal)
        return {}
      } catch {
        if (signal.aborted) return Promise.withResolvers<Facts>().promise
        await delay(PROBE_PAUSE_MS)
      }
    }
  }

  /** Never throws: it says what happened, waits, and starts again. */
  async #keepRunning(first: Launched): Promise<void> {
    for (let running: Launched | undefined = first; ;) {
      if (running) {
        const startedAt = performance.now()
        const how = await running.exited
        await this.#untilGone(running, 0)
        if (this.#stop.signal.aborted) return
        if (performance.now() - startedAt > STABLE_MS) this.#backoff.reset()
        this.#options.say(`${this.spec.name} ${how}`)
      }
      running = await this.#restart()
      if (this.#stop.signal.aborted) return
    }
  }

  async #restart(): Promise<Launched | undefined> {
    const waitMs = this.#backoff.next()
    await delay(waitMs, undefined, { signal: this.#stop.signal }).catch(() => {})
    if (this.#stop.signal.aborted) return undefined
    try {
      const running = await this.#start()
      this.restarts += 1
      this.#options.say(`${this.spec.name} runs again`)
      return running
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#options.say((error as Error).message)
      return undefined
    }
  }
}
