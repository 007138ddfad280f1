import { existsSync, writeFileSync } from 'node:fs'
import type { CgroupGroup } from './cgroup-tree.ts'
import type { ContextMemory } from './memory.ts'
import { readText } from './proc.ts'

/**
 * Memory limits by cgroup: a context lies in one of its own from its start, with the load limit; when an attempt enters,
 * the limit becomes what is charged then plus what the attempt may add. Moving it to a second cgroup instead would be
 * as exact, but a move that does not follow another waits for the kernel's grace period: 6 to 10 ms before each attempt.
 */

interface Files {
  limit: string
  usage: string
  /** Missing where swap is not accounted. */
  swap: { name: string; value(bytes: number): string }
  peak: string
  /** Where the kernel counts what it killed, as a line `oom_kill <n>`. */
  events: string
  /** Set to 1 so that the kernel ends the whole group. */
  group?: string
}

const FILES: Record<'cgroup-v1' | 'cgroup-v2', Files> = {
  'cgroup-v1': {
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    swap: { name: 'memory.memsw.limit_in_bytes', value: String },
    peak: 'memory.max_usage_in_bytes',
    events: 'memory.oom_control',
  },
  'cgroup-v2': {
    limit: 'memory.max',
    usage: 'memory.current',
    swap: { name: 'memory.swap.max', value: () => '0' },
    peak: 'memory.peak',
    events: 'memory.events',
    group: 'memory.oom.group',
  },
}

/** The memory of one context, by its group. */
export class CgroupMemory implements ContextMemory {
  readonly #file: (name: string) => string
  readonly #files: Files
  emptyBytes: number | null = null

  constructor(group: CgroupGroup, by: keyof typeof FILES) {
    this.#file = (name) => group.file('memory', name)
    this.#files = FILES[by]
  }

  load(_pid: number, limitBytes: number): void {
    this.#setLimit(limitBytes)
    if (this.#files.group) writeFileSync(this.#file(this.#files.group), '1')
  }

  acquire(limitBytes: number): void {
    this.emptyBytes = this.#bytes(this.#files.usage)
    this.#setLimit(this.emptyBytes + limitBytes)
    this.#resetPeak()
  }

  get peakBytes(): number | null {
    if (this.emptyBytes === null) return null
    const peak = this.#bytes(this.#files.peak)
    return peak > 0 ? Math.max(0, peak - this.emptyBytes) : null
  }

  get exceeded(): boolean {
    return /^oom_kill [1-9]/m.test(readText(this.#file(this.#files.events)) ?? '')
  }

  #bytes(name: string): number {
    return Number(readText(this.#file(name)) ?? 0)
  }

  /** The limit with swap may not be below the one without: which goes first depends on the direction. */
  #setLimit(bytes: number): void {
    const { limit, swap } = this.#files
    const limits = [() => writeFileSync(this.#file(limit), String(bytes))]
    if (existsSync(this.#file(swap.name)))
      limits.push(() => writeFileSync(this.#file(swap.name), swap.value(bytes)))
    try {
      for (const set of limits) set()
    } catch {
      for (const set of limits.toReversed()) set()
    }
  }

  /** Older kernels keep the peak of the load: then the receipt says at most too much. */
  #resetPeak(): void {
    try {
      writeFileSync(this.#file(this.#files.peak), '0')
    } catch {}
  }

  [Symbol.dispose](): void {}
}
