import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Receipt } from '#lib/wire'

/** The living processes of a uid; what has ended and was not reaped by a container's first process does not count. */
export function aliveOf(uid: number): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || statSync(`/proc/${name}`, { throwIfNoEntry: false })?.uid !== uid) return false
    return isAlive(name)
  })
}

/** False for what has ended, reaped or not. */
export function isAlive(pid: number | string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** The living processes of a context that has ended: of its uid, or at level thread the host, which others may still use. */
export const aliveAfter = ({ level, pid, uid }: Receipt): string[] =>
  level === 'thread' ? (isAlive(pid) ? [String(pid)] : []) : aliveOf(uid)

/** What contexts could leave on a host: cgroups of launchers that are gone, their mounts, and folders of theirs. */
export function residueOf(launcherPid: number): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes('/run/threadbound'))
  return [...mounts, ...cgroupsOf(launcherPid), ...launcherFolders()]
}

/** A launcher's own cgroups, and those of each of its contexts, in every hierarchy. */
export function cgroupsOf(launcherPid: number): string[] {
  return groupsBelow('/sys/fs/cgroup').filter((path) => path.includes(`/threadbound-${launcherPid}`))
}

/** What these uids own in the folders that anyone may write to. */
export function filesOf(uids: Set<number>): string[] {
  return ['/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue', '/run/lock'].flatMap((folder) =>
    statSync(folder, { throwIfNoEntry: false })
      ? readdirSync(folder)
          .map((name) => join(folder, name))
          .filter((path) => uids.has(statSync(path, { throwIfNoEntry: false })?.uid ?? -1))
      : [],
  )
}

const launcherFolders = () => {
  const folder = statSync('/run/threadbound/launcher', { throwIfNoEntry: false })
  return folder ? readdirSync('/run/threadbound/launcher') : []
}

function groupsBelow(folder: string, depth = 5): string[] {
  if (depth === 0) return []
  return foldersIn(folder).flatMap((path) => [path, ...groupsBelow(path, depth - 1)])
}

/** None of one that is being removed as we look: others start and end contexts, too. */
function foldersIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${folder}/${name}`)
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code!)) return []
    throw error
  }
}
