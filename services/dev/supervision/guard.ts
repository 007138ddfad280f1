import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Writable } from 'node:stream'

const SCRIPT = fileURLToPath(new URL('guard.sh', import.meta.url))
const TENTHS = 10

/**
 * A tiny process beside the supervisor that ends everything when the supervisor is killed (SIGKILL, out of memory).
 * A parent-death signal alone would take Redis away from workers that are still draining, and exists on Linux only.
 */
export class Guard implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #input: Writable

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#input = child.stdin!
    this.#input.on('error', () => {})
  }

  /** `graceSeconds`: how long services that watch their own pipe get to drain. `directories` are removed at the end. */
  static open(options: { graceSeconds: number; directories: string[] }): Guard {
    const args = [SCRIPT, String(options.graceSeconds * TENTHS)]
    const child = spawn('/bin/sh', args, {
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    child.on('error', () => {})
    child.unref()
    const guard = new Guard(child)
    for (const directory of options.directories) guard.#tell(`dir ${directory}`)
    return guard
  }

  /** `how` is the signal that ends the group, or SELF for a service that ends when its pipe to the supervisor does. */
  watch(group: number, how: NodeJS.Signals | 'SELF'): void {
    this.#tell(`+ ${group} ${how}`)
  }

  release(group: number): void {
    this.#tell(`- ${group}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || !this.#child.pid) return
    const gone = once(this.#child, 'exit')
    this.#child.ref()
    this.#input.end('bye\n')
    await gone
  }

  #tell(line: string): void {
    this.#input.write(`${line}\n`)
  }
}
