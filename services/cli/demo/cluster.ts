import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { upCommand, upEnvironment } from '../commands/up.ts'
import { CommandError } from '../errors.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** As a shell says it: 128 + SIGINT. */
const INTERRUPTED = 130

/**
 * A cluster of the demo's own: a temporary data directory, free ports, stopped at the end. From its first instant a
 * signal stops it, a second one at once. Its data directory, with the logs, stays when something went wrong by itself.
 */
export class DemoCluster implements AsyncDisposable {
  readonly data: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown[]>
  readonly #forward = () => this.#interrupt()
  #interrupted = false
  #succeeded = false

  private constructor(options: { cluster: string; isolation: string }) {
    for (const signal of SIGNALS) process.on(signal, this.#forward)
    this.data = mkdtempSync(join(tmpdir(), 'threadbound-demo-'))
    // the supervisor sees the end of our pipe when we are killed, and stops
    const [program, ...args] = upCommand({ ...options, data: this.data, port: '0', json: true })
    this.#child = spawn(program, args, {
      env: { ...upEnvironment(), TB_SUPERVISED: '1' },
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      detached: true,
    })
    this.#exited = once(this.#child, 'exit')
  }

  static spawn(options: { cluster: string; isolation: string }): DemoCluster {
    return new DemoCluster(options)
  }

  /** Once it is. @throws CommandError when it cannot be started: it has said why on stderr */
  async ready(): Promise<void> {
    await this.whileRunning(once(createInterface({ input: this.#child.stdout! }), 'line'))
  }

  /** What `work` gives. @throws CommandError when the cluster ends before */
  async whileRunning<T>(work: Promise<T>): Promise<T> {
    const ended = this.#exited.then(() => {
      throw this.#interrupted
        ? new CommandError('interrupted; the demo cluster was stopped', { exitCode: INTERRUPTED })
        : new CommandError(`the demo cluster ended by itself; its logs are in ${this.data}/logs`)
    })
    return await Promise.race([work, ended])
  }

  /** All went well: nothing needs to be kept. */
  succeeded(): void {
    this.#succeeded = true
  }

  /** Stops the cluster, and removes its data unless they may tell what went wrong. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM')
      await this.#exited
    }
    for (const signal of SIGNALS) process.off(signal, this.#forward)
    if (this.#succeeded || this.#interrupted) rmSync(this.data, { recursive: true, force: true })
  }

  #interrupt(): void {
    this.#interrupted = true
    this.#child.kill('SIGTERM')
  }
}
