import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'

/** A unix socket's path may take 107 bytes; `/<agent type of 41>/sidecar.sock` and a folder before it need 66. */
const LONGEST_RUNTIME_DIR = 40

/** Where a cluster keeps its things on one machine. */
export interface Directories {
  /** Survives restarts: credentials, databases, logs. 0700. */
  data: string
  /** Sockets and what contexts may pass through; short, and gone when the cluster ends. 0711. */
  runtime: string
}

/** Makes the data directory and a fresh runtime directory. @throws when neither /run nor /tmp can be written */
export function makeDirectories(data: string): Directories {
  mkdirSync(data, { recursive: true, mode: 0o700 })
  chmodSync(data, 0o700)
  const runtime = mkdtempSync(join(writableParent(), 'threadbound-'))
  chmodSync(runtime, 0o711)
  return { data, runtime }
}

/** A directory that only we can enter, below another. */
export function privateDirectory(...path: string[]): string {
  const directory = join(...path)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return directory
}

function writableParent(): string {
  const candidates = ['/run', process.env['XDG_RUNTIME_DIR'], '/tmp']
  const usable = candidates.find((path) => path && path.length < LONGEST_RUNTIME_DIR - 18 && writable(path))
  if (!usable)
    throw new Error('no directory for sockets: one of /run, $XDG_RUNTIME_DIR, /tmp must be writable')
  return usable
}

function writable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}
