import { readdirSync, readFileSync, statSync } from 'node:fs'

/** What /proc tells of processes; whatever has ended tells nothing. */

const TICKS_PER_SECOND = 100

/** The text of a file; undefined when it cannot be read. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** The process, its children and theirs, parents first: whoever is bound has its later children born bound. */
export function* family(pid: number): Generator<number> {
  yield pid
  for (const thread of threadsOf(pid)) {
    const children = readText(`/proc/${pid}/task/${thread}/children`) ?? ''
    for (const child of children.split(' ').filter(Boolean)) yield* family(Number(child))
  }
}

/** The processes of a uid. */
export function processesOf(uid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === uid)
}

/** The threads of a process. */
export function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}

/** A size in /proc/<pid>/status, bytes; 0 when it is not told. */
export function statusBytes(pid: number, field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readText(`/proc/${pid}/status`) ?? '')
  return Number(found?.[1] ?? 0) * 1024
}

/** Processor time of these processes and of their children that have been waited for, ms; null when none is left to ask. */
export function cpuMsOf(pids: Iterable<number>): number | null {
  const stats = [...pids].map(statOf).filter((stat) => stat !== undefined)
  if (stats.length === 0) return null
  const ticks = stats.flatMap((stat) => stat.slice(11, 15)).reduce((sum, one) => sum + Number(one), 0)
  return (ticks * 1000) / TICKS_PER_SECOND
}

/** False for what has ended, reaped or not. */
export function isAlive(pid: number): boolean {
  const state = statOf(pid)?.[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** The fields of /proc/<pid>/stat after the name, from the state on. */
function statOf(pid: number): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')
}
