import { writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { HeldLimits } from '#lib/wire'
import { CgroupMemory } from './cgroup.ts'
import { type CgroupGroup, CgroupTree } from './cgroup-tree.ts'
import type { ContextMemory } from './memory.ts'
import { cpuMsOf, family, processesOf, readText, threadsOf } from './proc.ts'
import { RlimitMemory } from './rlimit.ts'
import { setLimit } from './syscalls.ts'
import { NICE as NICE_PROGRAM, PRLIMIT } from './tools.ts'

/**
 * Holds what the walls do not: memory, processes, descriptors, the share of the processor. By cgroups where this host
 * gives them, else by resource limits and nice. All of it holds before an agent's code is loaded.
 */

/** Processes and threads of a context. An empty one has 11. */
const PROCESSES = 256
const OPEN_FILES = 256
/** An attempt's weight beside an ordinary process, which has 1024, and beside a context that is starting. */
const WEIGHT = 102
/** The same, about: what the kernel makes of it is 110. */
const NICE = 10
const NICE_WEIGHT = 110
/** When the host itself has no memory left, its kernel takes a context before any service. */
const OOM_SCORE = 500
const CAP_SYS_RESOURCE = 1n << 24n

const isRoot = process.getuid!() === 0

let marks = 0

type Held = Omit<HeldLimits, 'diskBytes'>

/** One context's bounds. */
export interface Kept extends Disposable {
  readonly memory: Pick<ContextMemory, 'emptyBytes' | 'peakBytes' | 'exceeded'>
  /** Bounds a context and all that it will start. `pid`: its first process. */
  load(pid: number, limitBytes: number): Promise<void>
  /** An attempt enters: from here on everything it adds is limited. */
  acquire(limitBytes: number): void
  /** Reads what only a living context tells; called before it is killed. */
  measure(): void
  /** Processor time so far, or until {@link measure}; null when nothing tells. */
  readonly cpuMs: number | null
  /** Every process of the context; undefined where the kernel keeps no list. */
  pids(): number[] | undefined
}

/** How one context is kept. */
export interface KeptOptions {
  /** Called when this side, not the kernel, finds the memory limit passed: the context must be killed. */
  over: () => void
  /** It has our own uid and no namespace of its own. */
  sharesUid: boolean
  /** It has temporary folders in memory, which count as such. */
  hasTmpfs: boolean
  /** Memory alone is bounded: it holds threads, which are bounded each by itself. */
  memoryOnly?: boolean
  /** It may start processes. */
  startsProcesses: boolean
}

/** A launcher's hold on its contexts. */
export class Keeper implements Disposable {
  readonly #tree: CgroupTree
  readonly held: Held
  /**
   * What a context is started through, where root: a process that has a uid of its own can be given a limit from outside
   * with CAP_SYS_RESOURCE alone, which root has not in every container.
   */
  readonly starter: string[]

  /** @throws where memory cannot be limited */
  refuseUnbounded(): void {
    if (isRoot && !this.#tree.by('memory')) requireResourceCapability()
  }

  /** Takes the best mechanisms that this host gives. */
  constructor(tree = new CgroupTree()) {
    this.#tree = tree
    const [pids, cpu] = [tree.by('pids'), tree.by('cpu')]
    const limits = [PRLIMIT, `--nofile=${OPEN_FILES}:${OPEN_FILES}`, `--nproc=${PROCESSES}:${PROCESSES}`]
    this.starter = isRoot ? [...limits, ...(cpu ? [] : [NICE_PROGRAM, '-n', `${NICE}`])] : []
    this.held = {
      memoryBy: tree.by('memory') ?? 'rlimit-data',
      processes: { value: PROCESSES, by: pids ?? 'rlimit-nproc' },
      openFiles: { value: OPEN_FILES, by: 'rlimit-nofile' },
      cpuWeight: cpu ? { value: WEIGHT, by: cpu } : { value: NICE_WEIGHT, by: 'nice' },
    }
  }

  open(context: string, options: KeptOptions): Kept {
    return new KeptContext(this.#tree, context, options)
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]()
  }
}

class KeptContext implements Kept {
  readonly memory: ContextMemory
  readonly #tree: CgroupTree
  readonly #group: CgroupGroup
  readonly #options: KeptOptions
  /** In the limit of file locks, which the kernel does not enforce and the filter keeps from changes: who has it is ours. */
  readonly #mark: number | undefined
  #pid = 0
  /** What it had used before its group counted. */
  #cpuMsBefore = 0
  #cpuMsSeen: number | null = null

  constructor(tree: CgroupTree, context: string, options: KeptOptions) {
    this.#tree = tree
    this.#options = options
    if (options.sharesUid && options.startsProcesses) this.#mark = process.pid * 2 ** 24 + ++marks
    this.#group = tree.open(context)
    const by = tree.by('memory')
    this.memory = by
      ? new CgroupMemory(this.#group, by)
      : new RlimitMemory({
          over: options.over,
          members: () => this.pids() ?? family(this.#pid),
          hasTmpfs: options.hasTmpfs,
        })
  }

  async load(pid: number, limitBytes: number): Promise<void> {
    this.#pid = pid
    this.#group.make()
    const { memoryOnly = false } = this.#options
    if (this.#tree.by('pids') && !memoryOnly)
      writeFileSync(this.#group.file('pids', 'pids.max'), String(PROCESSES))
    for (const one of family(pid)) await this.#group.move(one)
    this.#cpuMsBefore = Math.max(0, ranMs(family(pid)) - (this.#counted() ?? 0))
    if (!memoryOnly) for (const one of family(pid)) this.#bind(one)
    this.memory.load(pid, limitBytes)
  }

  acquire(limitBytes: number): void {
    this.memory.acquire(limitBytes)
    const cpu = this.#tree.by('cpu')
    if (cpu) this.#group.weigh(cpu, WEIGHT)
  }

  /** What a process has by itself and hands on to its children. */
  #bind(pid: number): void {
    unlessGone(() => writeFileSync(`/proc/${pid}/oom_score_adj`, String(OOM_SCORE)))
    if (isRoot) return
    setLimit(pid, 'nofile', OPEN_FILES)
    if (this.#mark !== undefined) setLimit(pid, 'locks', this.#mark)
    if (!this.#tree.by('pids'))
      setLimit(pid, 'nproc', PROCESSES + (this.#options.sharesUid ? threadsOfUid() : 0))
    if (!this.#tree.by('cpu'))
      for (const thread of threadsOf(pid)) unlessGone(() => setPriority(thread, NICE))
  }

  measure(): void {
    if (this.#pid === 0) return
    this.memory.measure?.()
    if (!this.#tree.by('cpuacct')) this.#cpuMsSeen = cpuMsOf(this.pids() ?? family(this.#pid))
  }

  get cpuMs(): number | null {
    if (this.#pid === 0) return null
    const counted = this.#counted()
    return counted === undefined ? this.#cpuMsSeen : this.#cpuMsBefore + counted
  }

  #counted(): number | undefined {
    const by = this.#tree.by('cpuacct')
    if (!by) return undefined
    if (by === 'cgroup-v1') return Number(readText(this.#group.file('cpuacct', 'cpuacct.usage'))) / 1e6
    const stat = readText(this.#group.file('cpuacct', 'cpu.stat')) ?? ''
    return Number(/^usage_usec (\d+)/m.exec(stat)?.[1] ?? 0) / 1e3
  }

  pids(): number[] | undefined {
    return this.#group.pids() ?? (this.#mark === undefined ? undefined : marked(this.#mark))
  }

  [Symbol.dispose](): void {
    this.memory[Symbol.dispose]()
    this.#group[Symbol.dispose]()
  }
}

/** The kernel counts by uid: what there is already may stay beside what the context may have. */
const threadsOfUid = () => processesOf(process.getuid!()).reduce((sum, pid) => sum + threadsOf(pid).length, 0)

const marked = (mark: number) =>
  processesOf(process.getuid!()).filter((pid) =>
    new RegExp(`^Max file locks\\s+${mark}\\s`, 'm').test(readText(`/proc/${pid}/limits`) ?? ''),
  )

function requireResourceCapability(): void {
  const effective = /^CapEff:\t(\w+)/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? '0'
  if ((BigInt(`0x${effective}`) & CAP_SYS_RESOURCE) !== 0n) return
  throw new Error(
    'memory cannot be limited: it needs a memory cgroup that can be written, or CAP_SYS_RESOURCE',
  )
}

/** The first number of schedstat: nanoseconds on a processor. */
const ranMs = (pids: Iterable<number>) =>
  [...pids]
    .flatMap((pid) => threadsOf(pid).map((thread) => `/proc/${pid}/task/${thread}/schedstat`))
    .map((file) => Number((readText(file) ?? '0').split(' ')[0]) / 1e6)
    .reduce((sum, ms) => sum + ms, 0)

function unlessGone(set: () => void): void {
  try {
    set()
  } catch (error) {
    const { code, info } = error as NodeJS.ErrnoException & { info?: { code: string } }
    if (!['ENOENT', 'ESRCH'].includes(info?.code ?? code ?? '')) throw error
  }
}
