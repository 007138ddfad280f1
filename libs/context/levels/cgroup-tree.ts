import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { readText } from './proc.ts'

/**
 * Folders of a launcher in every cgroup hierarchy that this host lets it write, and in them one for each context.
 * T1: a group is removed when its context has ended; what a killed launcher leaves, the next one sweeps.
 * T2: on every processor all contexts of a launcher weigh together what one ordinary process weighs.
 */

export type Controller = 'memory' | 'cpu' | 'cpuacct' | 'pids'
/** In this order a context is moved: the first move may wait for a grace period of the kernel, those after it do not. */
const CONTROLLERS: Controller[] = ['memory', 'pids', 'cpu', 'cpuacct']
const PREFIX = 'threadbound-'
const ROOT = '/sys/fs/cgroup'
const REMOVE_AGAIN_MS = 50

interface Hierarchy {
  version: 1 | 2
  /** Ours. */
  folder: string
  controllers: Controller[]
}

/** Weights of version 1, in which an ordinary process has 1024, as each version's file takes them. */
const WEIGHT = {
  'cgroup-v1': { name: 'cpu.shares', value: (weight: number) => weight },
  'cgroup-v2': {
    name: 'cpu.weight',
    value: (weight: number) => Math.min(10_000, Math.max(1, Math.round((weight * 100) / 1024))),
  },
}

/** All hierarchies of one launcher. */
export class CgroupTree implements Disposable {
  readonly #hierarchies: Hierarchy[]

  /** Opens what this host gives, which may be nothing. */
  constructor() {
    this.#hierarchies = [...openHierarchies()]
    const cpu = this.#hierarchies.find(({ controllers }) => controllers.includes('cpu'))
    if (cpu) writeWeight(cpu.folder, `cgroup-v${cpu.version}`, 1024 * availableParallelism())
  }

  /** By which version a controller is held; undefined when it is not. */
  by(controller: Controller): 'cgroup-v1' | 'cgroup-v2' | undefined {
    const found = this.#hierarchies.find(({ controllers }) => controllers.includes(controller))
    return found && `cgroup-v${found.version}`
  }

  /** The groups of one context, not made yet. */
  open(context: string): CgroupGroup {
    return new CgroupGroup(
      this.#hierarchies.map(({ folder, controllers }) => ({ folder: join(folder, context), controllers })),
    )
  }

  [Symbol.dispose](): void {
    for (const { folder } of this.#hierarchies) removeTree(folder)
  }
}

/** One context's groups. */
export class CgroupGroup implements Disposable {
  readonly #groups: { folder: string; controllers: Controller[] }[]

  constructor(groups: { folder: string; controllers: Controller[] }[]) {
    this.#groups = groups
  }

  make(): void {
    for (const { folder } of this.#groups) mkdirSync(folder)
  }

  /** Off this thread: the kernel may wait for a grace period. Whoever has ended needs no group. */
  async move(pid: number): Promise<void> {
    for (const { folder } of this.#groups)
      await writeFile(join(folder, 'cgroup.procs'), `${pid}`).catch(unlessGone)
  }

  /** Sets how much of a busy processor it gets beside its launcher's other contexts. Only where there is `cpu`. */
  weigh(by: keyof typeof WEIGHT, weight: number): void {
    writeWeight(dirname(this.file('cpu', WEIGHT[by].name)), by, weight)
  }

  /** The path of a controller's file. Only for controllers that the tree has. */
  file(controller: Controller, name: string): string {
    return join(this.#groups.find(({ controllers }) => controllers.includes(controller))!.folder, name)
  }

  /** Every process in it; undefined where there is no group. */
  pids(): number[] | undefined {
    const [first] = this.#groups
    if (!first) return undefined
    return (readText(join(first.folder, 'cgroup.procs')) ?? '').split('\n').filter(Boolean).map(Number)
  }

  [Symbol.dispose](): void {
    for (const { folder } of this.#groups) removeGroup(folder)
  }
}

function writeWeight(folder: string, by: keyof typeof WEIGHT, weight: number): void {
  writeFileSync(join(folder, WEIGHT[by].name), String(WEIGHT[by].value(weight)))
}

function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ESRCH') throw error
}

function* openHierarchies(): Generator<Hierarchy> {
  const left = new Set(CONTROLLERS)
  for (const controller of CONTROLLERS) {
    if (!left.has(controller)) continue
    const found = openV1(controller) ?? openV2(left)
    for (const one of found?.controllers ?? []) left.delete(one)
    if (found) yield found
  }
}

function openV1(controller: Controller): Hierarchy | undefined {
  const line = new RegExp(`^\\d+:((?:\\w+,)*${controller}(?:,\\w+)*):(.*)$`, 'm')
  const [, names, own] = line.exec(readText('/proc/self/cgroup') ?? '') ?? []
  if (names === undefined) return undefined
  const controllers = CONTROLLERS.filter((one) => names.split(',').includes(one))
  for (const mount of [names, controller])
    for (const parent of [join(ROOT, mount, own!), join(ROOT, mount)]) {
      const folder = openFolder(parent)
      if (folder) return { version: 1, folder, controllers }
    }
  return undefined
}

/** One group for all; `cpuacct` is version 1's name for what every group of version 2 counts. */
function openV2(wanted: Set<Controller>): Hierarchy | undefined {
  const own = /^0::(.*)$/m.exec(readText('/proc/self/cgroup') ?? '')?.[1]
  if (own === undefined) return undefined
  for (const parent of [ROOT, join(ROOT, own, '..')]) {
    const folder = openFolder(parent)
    if (!folder) continue
    const given = [...wanted].filter((one) => one !== 'cpuacct' && delegate(folder, one))
    if (given.length > 0) return { version: 2, folder, controllers: [...given, 'cpuacct'] }
    removeGroup(folder)
  }
  return undefined
}

function delegate(folder: string, controller: Controller): boolean {
  try {
    writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`)
    return true
  } catch {
    return false
  }
}

/** Makes our folder; proves by a trial that contexts will have theirs. */
function openFolder(parent: string): string | undefined {
  const own = join(parent, `${PREFIX}${process.pid}`)
  try {
    if (!existsSync(join(parent, 'cgroup.procs'))) return undefined
    sweep(parent)
    mkdirSync(join(own, 'trial'), { recursive: true })
    removeGroup(join(own, 'trial'))
    return own
  } catch {
    removeTree(own)
    return undefined
  }
}

/** Removes what launchers that were killed have left. */
function sweep(parent: string): void {
  for (const name of subfolders(parent)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : 0
    if (pid && !existsSync(`/proc/${pid}`)) removeTree(join(parent, name))
  }
}

function removeTree(folder: string): void {
  for (const name of subfolders(folder)) removeGroup(join(folder, name))
  removeGroup(folder)
}

const subfolders = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
    : []

/**
 * A group whose last process has just died may be busy for a moment, and longer on a busy machine; the next launcher's
 * sweep gets what is left even then.
 */
function removeGroup(folder: string, tries = 20): void {
  try {
    rmdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || tries === 0) return
    setTimeout(() => removeGroup(folder, tries - 1), REMOVE_AGAIN_MS).unref()
  }
}
