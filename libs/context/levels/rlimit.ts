import { statfsSync, writeFileSync } from 'node:fs'
import type { ContextMemory } from './memory.ts'
import { family, statusBytes } from './proc.ts'
import { setLimit } from './syscalls.ts'

/**
 * Memory limits without a cgroup: RLIMIT_DATA stops allocations inside (a catchable error for buffers, V8's own end
 * for the heap), and a watchdog adds up what all processes of the context hold. The watchdog alone would overshoot:
 * allocation runs at 2 GB/s.
 */

/** Room for what a Node process maps before it has loaded anything. */
const EMPTY_DATA_BYTES = 800 * 2 ** 20
const WATCH_MS = 100

interface RlimitOptions {
  /** Called when the watchdog finds the limit passed. */
  over(): void
  /** Every process of the context, the first one first. */
  members: () => Iterable<number>
  /** /tmp and /dev/shm are its own: their files are memory. */
  hasTmpfs: boolean
}

/** The memory of one context, by RLIMIT_DATA. */
export class RlimitMemory implements ContextMemory {
  readonly #options: RlimitOptions
  /** What each process of the empty context holds; nothing before an attempt has entered. */
  readonly #before = new Map<number, number>()
  emptyBytes: number | null = null
  #watch: NodeJS.Timeout | undefined
  #peak: number | null = null
  exceeded = false

  constructor(options: RlimitOptions) {
    this.#options = options
  }

  load(pid: number, limitBytes: number): void {
    for (const one of family(pid)) setLimit(one, 'data', EMPTY_DATA_BYTES + limitBytes)
  }

  acquire(limitBytes: number): void {
    const pids = [...this.#options.members()]
    this.emptyBytes = total(pids)
    for (const pid of pids) setLimit(pid, 'data', statusBytes(pid, 'VmData') + limitBytes)
    for (const pid of pids) {
      resetPeak(pid)
      this.#before.set(pid, statusBytes(pid, 'VmRSS'))
    }
    this.#watch = setInterval(() => this.#look(limitBytes), WATCH_MS)
  }

  get peakBytes(): number | null {
    return this.#peak
  }

  /** Between two looks the kernel has kept the most that each process had. */
  measure(): void {
    const peaks = [...this.#before].map(([pid, bytes]) => Math.max(0, statusBytes(pid, 'VmHWM') - bytes))
    if (peaks.length > 0) this.#seen(peaks.reduce((sum, bytes) => sum + bytes, 0))
  }

  #seen(added: number): void {
    this.#peak = Math.max(this.#peak ?? 0, added)
  }

  #look(limitBytes: number): void {
    const pids = [...this.#options.members()]
    const files = this.#options.hasTmpfs && pids[0] ? tmpfsBytes(pids[0]) : 0
    const added = total(pids) + files - (this.emptyBytes ?? 0)
    this.#seen(added)
    this.measure()
    if (added <= limitBytes) return
    this.exceeded = true
    this.#options.over()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watch)
  }
}

/** 5: the kernel begins the peak anew. */
function resetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch {}
}

/** What lies in a context's own temporary folders. */
function tmpfsBytes(pid: number): number {
  return ['tmp', 'dev/shm']
    .map((folder) => {
      try {
        const { blocks, bfree, bsize } = statfsSync(`/proc/${pid}/root/${folder}`)
        return (blocks - bfree) * bsize
      } catch {
        return 0
      }
    })
    .reduce((sum, bytes) => sum + bytes, 0)
}

const total = (pids: number[]) =>
  pids.reduce((sum, pid) => sum + statusBytes(pid, 'RssAnon') + statusBytes(pid, 'RssShmem'), 0)
