import type { MemoryMechanism } from '#lib/wire'
import { openCgroupMemory } from './cgroup.ts'
import { RlimitMemory } from './rlimit.ts'

/** Holds the memory limits of a launcher's contexts. */
export interface MemoryKeeper extends Disposable {
  readonly mechanism: MemoryMechanism
  /** `over` is called when this side, not the kernel, finds the limit passed: the context must be killed. */
  open(context: string, over: () => void): ContextMemory
}

/** One context's memory. */
export interface ContextMemory extends Disposable {
  /** Sets the limit that holds until an attempt enters. `pid`: the first process; its children inherit. */
  load(pid: number, limitBytes: number): Promise<void>
  /** From here on, everything the context adds is limited to `limitBytes`. */
  acquire(limitBytes: number): Promise<void>
  /** What it held when an attempt entered; null before that. */
  readonly emptyBytes: number | null
  /** Highest use above the empty context; null where it is not told or no attempt has entered. */
  readonly peakBytes: number | null
  /** True when the limit ended the context. */
  readonly exceeded: boolean
  /** Every process of the context; undefined where the kernel keeps no list. */
  pids(): number[] | undefined
}

/** The best keeper that this host gives: cgroup v1 or v2, else RLIMIT_DATA beside a watchdog. */
export function openMemory(): MemoryKeeper {
  return openCgroupMemory() ?? new RlimitMemory()
}
