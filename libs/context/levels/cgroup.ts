import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContextMemory, MemoryKeeper } from './memory.ts'

/**
 * Memory limits by cgroup: a context lies in one of its own from its start, with the load limit; when an attempt enters,
 * the limit becomes what is charged then plus what the attempt may add. Moving it to a second cgroup instead would be
 * as exact, but a move that does not follow another waits for the kernel's grace period: 6 to 10 ms before each attempt.
 */

interface Files {
  mechanism: 'cgroup-v1' | 'cgroup-v2'
  limit: string
  usage: string
  /** Missing where swap is not accounted. */
  swap: { file: string; value(bytes: number): string }
  peak: string
  /** Where the kernel counts what it killed, as a line `oom_kill <n>`. */
  events: string
  /** Set to 1 so that the kernel ends the whole group. */
  group?: string
}

const V1: Files = {
  mechanism: 'cgroup-v1',
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  swap: { file: 'memory.memsw.limit_in_bytes', value: String },
  peak: 'memory.max_usage_in_bytes',
  events: 'memory.oom_control',
}
const V2: Files = {
  mechanism: 'cgroup-v2',
  limit: 'memory.max',
  usage: 'memory.current',
  swap: { file: 'memory.swap.max', value: () => '0' },
  peak: 'memory.peak',
  events: 'memory.events',
  group: 'memory.oom.group',
}
const PREFIX = 'threadbound-'

/** Opens a folder of our own in the memory hierarchy; undefined where this host gives none. */
export function openCgroupMemory(): MemoryKeeper | undefined {
  for (const [files, parent] of candidates()) {
    const own = tryOpen(files, parent)
    if (own) return new CgroupMemory(own, files)
  }
  return undefined
}

class CgroupMemory implements MemoryKeeper {
  readonly mechanism: Files['mechanism']
  readonly #folder: string
  readonly #files: Files
  constructor(folder: string, files: Files) {
    this.#folder = folder
    this.#files = files
    this.mechanism = files.mechanism
  }
  open(context: string): ContextMemory {
    return new CgroupContext(join(this.#folder, context), this.#files)
  }
  [Symbol.dispose](): void {
    for (const name of subfolders(this.#folder)) removeGroup(join(this.#folder, name))
    removeGroup(this.#folder)
  }
}

class CgroupContext implements ContextMemory {
  readonly #group: string
  readonly #files: Files
  emptyBytes: number | null = null

  constructor(group: string, files: Files) {
    this.#group = group
    this.#files = files
  }

  async load(pid: number, limitBytes: number): Promise<void> {
    makeGroup(this.#group, this.#files, limitBytes)
    // Whoever is moved has its later children born here; those it has already are moved after it.
    await move(pid, this.#group)
    for (const child of descendants(pid)) await move(child, this.#group)
  }

  async acquire(limitBytes: number): Promise<void> {
    this.emptyBytes = this.#bytes(this.#files.usage)
    setLimit(this.#group, this.#files, this.emptyBytes + limitBytes)
    resetPeak(join(this.#group, this.#files.peak))
  }

  get peakBytes(): number | null {
    if (this.emptyBytes === null) return null
    const peak = this.#bytes(this.#files.peak)
    return peak > 0 ? Math.max(0, peak - this.emptyBytes) : null
  }

  get exceeded(): boolean {
    return /^oom_kill [1-9]/m.test(readText(join(this.#group, this.#files.events)) ?? '')
  }

  pids(): number[] {
    return (readText(join(this.#group, 'cgroup.procs')) ?? '').split('\n').filter(Boolean).map(Number)
  }

  #bytes(file: string): number {
    return Number(readText(join(this.#group, file)) ?? 0)
  }

  [Symbol.dispose](): void {
    removeGroup(this.#group)
  }
}

function* candidates(): Generator<[Files, string]> {
  const own = readText('/proc/self/cgroup') ?? ''
  const v1 = /^\d+:(?:\w+,)*memory(?:,\w+)*:(.*)$/m.exec(own)?.[1]
  if (v1 !== undefined) {
    yield [V1, join('/sys/fs/cgroup/memory', v1)]
    yield [V1, '/sys/fs/cgroup/memory']
  }
  const v2 = /^0::(.*)$/m.exec(own)?.[1]
  if (v2 === undefined) return
  yield [V2, '/sys/fs/cgroup']
  yield [V2, join('/sys/fs/cgroup', v2, '..')]
}

function tryOpen(files: Files, parent: string): string | undefined {
  const own = join(parent, `${PREFIX}${process.pid}`)
  try {
    sweep(parent)
    mkdirSync(own)
    if (files === V2) writeFileSync(join(own, 'cgroup.subtree_control'), '+memory')
    const probe = join(own, 'probe')
    makeGroup(probe, files, 2 ** 26)
    rmdirSync(probe)
    return own
  } catch {
    removeGroup(join(own, 'probe'))
    removeGroup(own)
    return undefined
  }
}

/** Removes what launchers that were killed have left. */
function sweep(parent: string): void {
  for (const name of subfolders(parent)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : 0
    if (!pid || existsSync(`/proc/${pid}`)) continue
    for (const group of subfolders(join(parent, name))) removeGroup(join(parent, name, group))
    removeGroup(join(parent, name))
  }
}

function makeGroup(group: string, files: Files, limitBytes: number): void {
  mkdirSync(group)
  setLimit(group, files, limitBytes)
  if (files.group) writeFileSync(join(group, files.group), '1')
}

/** The limit with swap may not be below the one without: which goes first depends on the direction. */
function setLimit(group: string, files: Files, bytes: number): void {
  const swap = join(group, files.swap.file)
  const limits = [() => writeFileSync(join(group, files.limit), String(bytes))]
  if (existsSync(swap)) limits.push(() => writeFileSync(swap, files.swap.value(bytes)))
  try {
    for (const set of limits) set()
  } catch {
    for (const set of limits.toReversed()) set()
  }
}

/** Older kernels keep the peak of the load: then the receipt says at most too much. */
function resetPeak(file: string): void {
  try {
    writeFileSync(file, '0')
  } catch {}
}

/** Off this thread: the kernel may wait for a grace period. */
async function move(pid: number, group: string): Promise<void> {
  try {
    await writeFile(join(group, 'cgroup.procs'), String(pid))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function* descendants(pid: number): Generator<number> {
  const children = readText(`/proc/${pid}/task/${pid}/children`) ?? ''
  for (const child of children.split(' ').filter(Boolean).map(Number)) {
    yield child
    yield* descendants(child)
  }
}

const subfolders = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
    : []

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** A group whose last process has just died may be busy for a moment; the next launcher's sweep gets what is left. */
function removeGroup(group: string): void {
  try {
    rmdirSync(group)
  } catch {}
}
