import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** What canaries left on the host: found by the beginning of their marks, and taken away. */

/** Takes away every file, folder and process that bears a mark; gives what there was. `folders`: beside the system's. */
export function sweepHost(folders: string[], prefix: string): { files: string[]; processes: string[] } {
  const processes = takeProcesses(prefix)
  const all = new Set([...folders, ...OPEN_FOLDERS, ...SYSTEM_FOLDERS])
  return { processes, files: takeFiles([...all], prefix) }
}

/** A context that can write here has broken out; the control is not let try. */
export const SYSTEM_FOLDERS = ['/', '/etc', '/usr', '/var', '/home', '/root', '/sys/fs/cgroup']
export const OPEN_FOLDERS = ['/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue', '/run/lock', '/run/shm', '/run']

function takeFiles(folders: string[], prefix: string): string[] {
  const found = folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => name.startsWith(prefix))
      .map((name) => join(folder, name)),
  )
  for (const path of found) {
    try {
      rmSync(path, { recursive: true, force: true })
    } catch {
      rmdirSync(path) // in the cgroup file system a folder's files go with it
    }
  }
  return found
}

/** None of a folder that is not there, or that we may not list: no canary of ours could write there either. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function takeProcesses(prefix: string): string[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && bears(pid, prefix))
    .map((pid) => {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {}
      return `process ${pid}`
    })
}

function bears(pid: number, prefix: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return (
      words.some((word) => word.startsWith(prefix)) &&
      !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    )
  } catch {
    return false
  }
}
