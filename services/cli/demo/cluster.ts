import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { upCommand } from '../commands/up.ts'
import { CommandError } from '../errors.ts'

/** A cluster of the demo's own: a temporary data directory, free ports, stopped at the end. */
export class DemoCluster implements AsyncDisposable {
  readonly data: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown[]>
  /** Set when something went wrong: the data directory, with the logs, stays. */
  keep = false

  private constructor(data: string, child: ChildProcess) {
    this.data = data
    this.#child = child
    this.#exited = once(child, 'exit')
  }

  /**
   * Starts it and waits until it is ready. The supervisor sees the end of our pipe when we are killed, and stops.
   * @throws CommandError when it cannot be started; it has said why on stderr
   */
  static async open(options: { cluster: string; isolation: string }): Promise<DemoCluster> {
    const data = mkdtempSync(join(tmpdir(), 'threadbound-demo-'))
    const command = upCommand({ ...options, data, port: '0', json: true })
    const child = spawn(process.execPath, command, {
      env: { ...process.env, TB_SUPERVISED: '1' },
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      detached: true,
    })
    const cluster = new DemoCluster(data, child)
    const line = once(createInterface({ input: child.stdout! }), 'line')
    const first = await Promise.race([line.then(() => 'ready'), cluster.#exited.then(() => 'ended')])
    if (first === 'ready') return cluster
    cluster.keep = true
    await cluster[Symbol.asyncDispose]()
    throw new CommandError('the demo cluster could not be started')
  }

  /** Hands a signal on: the first drains, the second ends at once. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Stops the cluster, and removes its data unless it is to be kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM')
      await this.#exited
    }
    if (!this.keep) rmSync(this.data, { recursive: true, force: true })
  }
}
