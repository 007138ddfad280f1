import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Guard } from './guard.ts'
import type { Facts } from './launch.ts'
import { ManagedProcess, type ServiceSpec } from './managed-process.ts'
import { StoppingError } from './errors.ts'

/** A service and its place in the order of stopping: lower phases stop first, equal ones together. */
export interface SupervisedSpec extends ServiceSpec {
  stopPhase: number
}

/** What the supervisor needs. */
export interface SupervisorOptions {
  /** `<logDir>/<service>.log` */
  logDir: string
  /** Removed when the supervisor ends, however it ends. */
  runtimeDir?: string
  /** Removed when no process is left, however the supervisor ends: what says that it has some. */
  claim?: string | undefined
  say: (line: string) => void
  /** How long services may drain when the supervisor itself was killed. Default 5 s. */
  orphanGraceSeconds?: number
}

/**
 * Keeps a set of services running, and ends them in order. Knows nothing of what they are.
 * S1: every service is the leader of a group of its own. S2: what died is started again.
 * S3: after the disposal, after {@link killNow}, and after a SIGKILL of this process no process of a service is left.
 */
export class Supervisor implements AsyncDisposable {
  readonly #options: SupervisorOptions
  readonly #guard: Guard
  readonly #services: { phase: number; managed: ManagedProcess }[] = []
  #ended: Promise<void> | undefined

  private constructor(options: SupervisorOptions) {
    this.#options = options
    this.#guard = Guard.open({
      graceSeconds: options.orphanGraceSeconds ?? 5,
      directories: [options.runtimeDir, options.claim].filter((path) => path !== undefined),
    })
  }

  static open(options: SupervisorOptions): Supervisor {
    mkdirSync(options.logDir, { recursive: true, mode: 0o700 })
    return new Supervisor(options)
  }

  /** Starts a service and waits until it is ready. @throws ServiceNotReadyError, StoppingError */
  async start(spec: SupervisedSpec): Promise<Facts> {
    if (this.#ended) throw new StoppingError(spec.name)
    const logFile = join(this.#options.logDir, `${spec.name}.log`)
    const options = { logFile, guard: this.#guard, say: this.#options.say }
    const managed = new ManagedProcess(spec, options)
    this.#services.push({ phase: spec.stopPhase, managed })
    return managed.begin()
  }

  /** Ends a service so that it is started anew, because something it stands on was. An unknown name is no error. */
  renew(name: string): void {
    this.#services.find(({ managed }) => managed.spec.name === name)?.managed.renew()
  }

  /** Process ids and restarts of the services, in order of start. */
  services(): { name: string; pid: number | undefined; restarts: number }[] {
    return this.#services.map(({ managed }) => ({
      name: managed.spec.name,
      pid: managed.pid,
      restarts: managed.restarts,
    }))
  }

  /** Kills every group at once, without waiting: for the second signal and for the exit handler. */
  killNow(): void {
    for (const { managed } of this.#services) managed.killNow()
    if (this.#options.runtimeDir) rmSync(this.#options.runtimeDir, { recursive: true, force: true })
  }

  /** Stops what is still starting, then phase after phase; then nothing is left. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  async #end(): Promise<void> {
    const phases = [...new Set(this.#services.map((service) => service.phase))].toSorted((a, b) => a - b)
    for (const phase of phases) {
      const together = this.#services.filter((service) => service.phase === phase)
      await Promise.all(together.map(({ managed }) => managed[Symbol.asyncDispose]()))
    }
    await this.#guard[Symbol.asyncDispose]()
    for (const path of [this.#options.runtimeDir, this.#options.claim])
      if (path) rmSync(path, { recursive: true, force: true })
  }
}
