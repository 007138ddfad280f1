/** The proof of one context. Types alone. */

/** Isolation level. */
export type Level = 'thread' | 'process' | 'namespace'

/** How the memory limit was held; `heap-limit` bounds JavaScript alone, beside a watch over its buffers. */
export type MemoryMechanism = 'cgroup-v2' | 'cgroup-v1' | 'rlimit-data' | 'heap-limit'

/** A limit that held for an attempt, and what held it. */
export interface LimitInForce<By extends string> {
  value: number
  by: By
}

/** Every limit of an attempt, by name. Null: nothing holds it at this level on this host. */
export interface LimitsInForce {
  /** What the attempt may add to its empty context, of any kind and with all that it starts. */
  memoryBytes: LimitInForce<MemoryMechanism>
  /** JavaScript's heap, the empty context's with it; it ends an attempt with a cleaner error than the kernel. */
  heapBytes: LimitInForce<'v8'>
  /** From the abort on there is the grace, then the kill. */
  timeMs: LimitInForce<'launcher'>
  /** Processes and threads at once. */
  processes: LimitInForce<'cgroup-v2' | 'cgroup-v1' | 'rlimit-nproc'> | null
  /** Descriptors of one process. */
  openFiles: LimitInForce<'rlimit-nofile'> | null
  /** What it may write: a tmpfs is memory, too. 0: no file can be written. */
  diskBytes: LimitInForce<'tmpfs' | 'landlock' | 'own-uid'> | null
  /** Console, log lines, progress, emitted values, spans and result together. */
  outputBytes: LimitInForce<'worker'>
  /** Its part of a busy processor; an ordinary process has 1024. */
  cpuWeight: LimitInForce<'cgroup-v2' | 'cgroup-v1' | 'nice'> | null
}

/** What a launcher holds of every context, the same for all of them: the walls and the host decide. */
export type HeldLimits = Pick<LimitsInForce, 'processes' | 'openFiles' | 'diskBytes' | 'cpuWeight'> & {
  memoryBy: MemoryMechanism
}

/** What ended a context: it exited by itself, our kill after its result, its time, its memory, a violation, the worker's end, or that of its
 * thread host by another context or a fault that nobody can be charged with. */
export type EndedBy =
  | 'exit'
  | 'released'
  | 'timeout'
  | 'out-of-memory'
  | 'aborted'
  | 'protocol-violation'
  | 'output-limit'
  | 'worker-gone'
  | 'host-lost'
  | 'signal'

/** What launcher, kernel and worker measured of a context; nothing in it is the context's own claim. Times: ms since the epoch. */
export interface Receipt {
  context: string
  level: Level
  /** Attempts that had entered this process before this one, as the launcher counted: 0. */
  reuse: number
  pid: number
  /** Uid outside of any user namespace. */
  uid: number
  limits: LimitsInForce
  /** Memory charged to the context when an attempt entered it; null where none did or the kernel does not tell. */
  emptyBytes: number | null
  /** Highest memory charged above the empty context; null where nothing tells, or no attempt has entered. */
  peakBytes: number | null
  /** What of the peak lay above the limit: 0 where the kernel holds it. */
  overshootBytes: number | null
  /** Processor time of the context, from its start, and of all that it started; null where nothing tells. */
  cpuMs: number | null
  startedAt: number
  /** The agent's module was loaded, by the worker's clock. */
  readyAt: number | null
  acquiredAt: number | null
  endedAt: number
  endedBy: EndedBy
  exitCode: number | null
  signal: string | null
  /** What outlived the kill: each is 0, and null where nothing can tell. */
  leftOver: {
    /** Processes that were still there after everything had been killed. */
    processes: number | null
    /** System V objects of its uid outside of its own namespace; they were removed. */
    ipcObjects: number | null
  }
  /** Present where Node's permission model was off, which is for verification alone. */
  permissionModel?: false
}
