import { readdirSync, readFileSync } from 'node:fs'

/** What the host sees of a running context: its processes, first to last. */
export function processesBelow(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(processesBelow)]
}

/** The processes that a process has started; none of one that has just ended. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
  } catch {
    return []
  }
}

/** A limit in /proc/<pid>/limits as its two words, soft and hard. */
export function limitOf(pid: number, name: string): string[] {
  const line = new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, 'm').exec(
    readFileSync(`/proc/${pid}/limits`, 'utf8'),
  )
  return line ? [line[1]!, line[2]!] : []
}

/** The group of a process in the hierarchy that holds a controller, as a folder; undefined where there is none of ours. */
export function groupOf(pid: number, controller: string): string | undefined {
  for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')) {
    const [, names = '', path = ''] = line.split(':')
    if (!path.includes('/threadbound-')) continue
    if (names.split(',').includes(controller)) return `/sys/fs/cgroup/${names}${path}`
    if (names === '') return `/sys/fs/cgroup${path}`
  }
  return undefined
}
