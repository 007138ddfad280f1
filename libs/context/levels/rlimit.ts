import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { PRLIMIT } from './tools.ts'
import type { ContextMemory, MemoryKeeper } from './memory.ts'

/**
 * Memory limits without a cgroup: RLIMIT_DATA stops allocations inside (a catchable error for buffers, V8's own end
 * for the heap), and a watchdog adds up what all processes of the context hold. The watchdog alone would overshoot:
 * allocation runs at 2 GB/s.
 */

const run = promisify(execFile)
/** Room for what a Node process maps before it has loaded anything. */
const EMPTY_DATA_BYTES = 800 * 2 ** 20
const WATCH_MS = 100

/** Keeps limits by RLIMIT_DATA. */
export class RlimitMemory implements MemoryKeeper {
  readonly mechanism = 'rlimit-data'
  open(_context: string, over: () => void): ContextMemory {
    return new RlimitContext(over)
  }
  [Symbol.dispose](): void {}
}

class RlimitContext implements ContextMemory {
  readonly #over: () => void
  #root = 0
  emptyBytes: number | null = null
  #watch: NodeJS.Timeout | undefined
  #peak: number | null = null
  exceeded = false

  constructor(over: () => void) {
    this.#over = over
  }

  async load(pid: number, limitBytes: number): Promise<void> {
    this.#root = pid
    await setDataLimit(pid, EMPTY_DATA_BYTES + limitBytes)
  }

  async acquire(limitBytes: number): Promise<void> {
    const pids = family(this.#root)
    this.emptyBytes = total(pids)
    await Promise.all(pids.map((pid) => setDataLimit(pid, statusBytes(pid, 'VmData') + limitBytes)))
    this.#watch = setInterval(() => this.#look(limitBytes), WATCH_MS)
  }

  get peakBytes(): number | null {
    return this.#peak
  }

  pids(): undefined {
    return undefined
  }

  #look(limitBytes: number): void {
    const added = total(family(this.#root)) - (this.emptyBytes ?? 0)
    this.#peak = Math.max(this.#peak ?? 0, added)
    if (added <= limitBytes) return
    this.exceeded = true
    this.#over()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watch)
  }
}

const setDataLimit = (pid: number, bytes: number) =>
  run(PRLIMIT, ['--pid', String(pid), `--data=${bytes}:${bytes}`], { env: {} })

function family(root: number): number[] {
  try {
    const children = readdirSync(`/proc/${root}/task`).flatMap((task) =>
      readFileSync(`/proc/${root}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return [root, ...children.flatMap(family)]
  } catch {
    return []
  }
}

const total = (pids: number[]) =>
  pids.reduce((sum, pid) => sum + statusBytes(pid, 'RssAnon') + statusBytes(pid, 'RssShmem'), 0)

function statusBytes(pid: number, field: string): number {
  try {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(found?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
