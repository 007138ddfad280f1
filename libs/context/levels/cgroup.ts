import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ContextMemory, MemoryKeeper } from './memory.ts'

/**
 * Memory limits by cgroup. A spare lies in a cgroup with the load limit; at acquire its processes move to a second,
 * new one, and what they were charged before stays behind: so the limit is exactly what the attempt may add.
 */

interface Files {
  mechanism: 'cgroup-v1' | 'cgroup-v2'
  limit: string
  /** Written after `limit`; missing where swap is not accounted. */
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
  swap: { file: 'memory.memsw.limit_in_bytes', value: String },
  peak: 'memory.max_usage_in_bytes',
  events: 'memory.oom_control',
}
const V2: Files = {
  mechanism: 'cgroup-v2',
  limit: 'memory.max',
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
  readonly #load: string
  readonly #run: string
  readonly #files: Files
  #acquired = false

  constructor(path: string, files: Files) {
    this.#load = `${path}.load`
    this.#run = path
    this.#files = files
  }

  load(pid: number, limitBytes: number): void {
    makeGroup(this.#load, this.#files, limitBytes)
    // Whoever is moved has its later children born here; those it has already are moved after it.
    for (const one of withDescendants(pid)) move(one, this.#load)
  }

  async acquire(limitBytes: number): Promise<void> {
    makeGroup(this.#run, this.#files, limitBytes)
    this.#acquired = true
    for (let rest = pidsIn(this.#load); rest.length > 0; rest = pidsIn(this.#load))
      for (const pid of rest) move(pid, this.#run)
  }

  get peakBytes(): number | null {
    const peak = this.#acquired ? readText(join(this.#run, this.#files.peak)) : undefined
    return peak === undefined ? null : Number(peak)
  }

  get exceeded(): boolean {
    return [this.#load, this.#run].some((group) =>
      /^oom_kill [1-9]/m.test(readText(join(group, this.#files.events)) ?? ''),
    )
  }

  pids(): number[] {
    return [...pidsIn(this.#load), ...pidsIn(this.#run)]
  }

  [Symbol.dispose](): void {
    removeGroup(this.#load)
    removeGroup(this.#run)
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
  writeFileSync(join(group, files.limit), String(limitBytes))
  if (files.group) writeFileSync(join(group, files.group), '1')
  const swap = join(group, files.swap.file)
  if (existsSync(swap)) writeFileSync(swap, files.swap.value(limitBytes))
}

function move(pid: number, group: string): void {
  try {
    writeFileSync(join(group, 'cgroup.procs'), String(pid))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function* withDescendants(pid: number): Generator<number> {
  yield pid
  const children = readText(`/proc/${pid}/task/${pid}/children`) ?? ''
  for (const child of children.split(' ').filter(Boolean)) yield* withDescendants(Number(child))
}

const pidsIn = (group: string) =>
  (readText(join(group, 'cgroup.procs')) ?? '').split('\n').filter(Boolean).map(Number)

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
