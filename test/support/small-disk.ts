import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A place for one file of a process, with little room. */
export interface SmallDisk extends Disposable {
  file: string
  /** What a write fails with once it is full. */
  error: 'ENOSPC' | 'EFBIG'
  /** Leaves no room. */
  fill(pid: number): void
  /** Gives the room back. */
  free(pid: number): void
}

/**
 * For root a file system of 64 KiB that is really full. Nobody else may mount one: there the kernel refuses the process a
 * longer file, in the same place of the same call and with another code.
 */
export function openSmallDisk(): SmallDisk {
  const folder = mkdtempSync('/tmp/tb-disk-')
  const file = join(folder, 'audit.jsonl')
  return process.getuid!() === 0 ? mounted(folder, file) : limited(folder, file)
}

function mounted(folder: string, file: string): SmallDisk {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder])
  const filler = join(folder, 'filler')
  return {
    file,
    error: 'ENOSPC',
    fill: () => {
      for (let bytes = 2 ** 16; bytes > 0;) bytes = appended(filler, bytes) ? bytes : Math.floor(bytes / 2)
    },
    free: () => rmSync(filler),
    [Symbol.dispose]() {
      execFileSync('umount', ['--lazy', folder])
      rmSync(folder, { recursive: true })
    },
  }
}

function appended(file: string, bytes: number): boolean {
  try {
    appendFileSync(file, Buffer.alloc(bytes))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw error
  }
}

function limited(folder: string, file: string): SmallDisk {
  return {
    file,
    error: 'EFBIG',
    fill: (pid) => limit(pid, statSync(file).size),
    free: (pid) => limit(pid, 'unlimited'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

const limit = (pid: number, bytes: number | 'unlimited') =>
  void execFileSync('prlimit', [`--pid=${pid}`, `--fsize=${bytes}:`])
