import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { upCommand } from '../commands/up.ts'
import { CommandError } from '../errors.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * A cluster of the demo's own: a temporary data directory, free ports, stopped at the end. From its start on, Ctrl-C
 * stops it, and a second one at once; the command then ends by what it was waiting for, and nothing is kept.
 */
export class DemoCluster implements AsyncDisposable {
  readonly data: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown[]>
  #interrupted = false
  /** Set when something went wrong: the data directory, with the logs, stays. */
  keep = false
  readonly #forward = (signal: NodeJS.Signals) => {
    this.#interrupted = true
    this.#child.kill(signal)
  }

  /** Listens for signals before there is anything that they could leave behind. */
  private constructor(options: { cluster: string; isolation: string }) {
    for (const signal of SIGNALS) process.on(signal, this.#forward)
    this.data = mkdtempSync(join(tmpdir(), 'threadbound-demo-'))
    const command = upCommand({ ...options, data: this.data, port: '0', json: true })
    this.#child = spawn(process.execPath, command, {
      env: { ...process.env, TB_SUPERVISED: '1' },
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      detached: true,
    })
    this.#exited = once(this.#child, 'exit')
  }

  /**
   * Starts it and waits until it is ready. The supervisor sees the end of our pipe when we are killed, and stops.
   * @throws CommandError when it cannot be started; it has said why on stderr
   */
  static async open(options: { cluster: string; isolation: string }): Promise<DemoCluster> {
    const cluster = new DemoCluster(options)
    const line = once(createInterface({ input: cluster.#child.stdout! }), 'line')
    const first = await Promise.race([line.then(() => 'ready'), cluster.#exited.then(() => 'ended')])
    if (first === 'ready') return cluster
    cluster.keep = true
    await cluster[Symbol.asyncDispose]()
    throw new CommandError(cluster.#interrupted ? 'interrupted' : 'the demo cluster could not be started')
  }

  /** Stops the cluster, and removes its data unless it is to be kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM')
      await this.#exited
    }
    for (const signal of SIGNALS) process.off(signal, this.#forward)
    if (!this.keep || this.#interrupted) rmSync(this.data, { recursive: true, force: true })
  }
}
