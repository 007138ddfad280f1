import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { descendants } from './cluster.ts'

/** A process as /proc tells of it. */
export interface SeenProcess {
  pid: number
  command: string[]
  uid: number
  gid: number
  groups: number[]
  /** A field of /proc/<pid>/status. */
  status(field: string): string
}

/** The living processes below one that started services; those of contexts, which have other uids every time, as well. */
export function processesBelow(pid: number): SeenProcess[] {
  return descendants(pid).flatMap((child) => seen(child) ?? [])
}

/** What /proc says of a process; undefined when it has ended. */
export function seen(pid: number): SeenProcess | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    const status = (field: string) => new RegExp(`^${field}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(text)?.[1] ?? ''
    const numbers = (field: string) => status(field).split(/\s+/).filter(Boolean).map(Number)
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean)
    // One that is ending has given its memory back, and with it its command line.
    if (command.length === 0) return undefined
    return {
      pid,
      command,
      uid: numbers('Uid')[0]!,
      gid: numbers('Gid')[0]!,
      groups: numbers('Groups'),
      status,
    }
  } catch {
    return undefined
  }
}

/** A worker's launcher, by the name that it goes under. */
export const isLauncher = ({ command }: SeenProcess) => command[0] === 'threadbound-launcher'

/** True for a Node that opens its inspector when it gets SIGUSR1. */
export function answersSigusr1(pid: number): boolean {
  const caught = BigInt(`0x${seen(pid)?.status('SigCgt') || '0'}`)
  const program = unlessEnded(() => readlinkSync(`/proc/${pid}/exe`)) ?? ''
  return program.endsWith('/node') && ((caught >> 9n) & 1n) === 1n
}

/** The environment of a process; empty when it has ended. */
export function environmentOf(pid: number): Record<string, string> {
  const text = unlessEnded(() => readFileSync(`/proc/${pid}/environ`, 'utf8')) ?? ''
  const lines = text.split('\0').filter(Boolean)
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

/** What is read below /proc; undefined when the process has ended. */
export function unlessEnded<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code!)) return undefined
    throw error
  }
}

/** Every process in a mount namespace. */
export function inMountsOf(pid: number): number[] {
  const mounts = readlinkSync(`/proc/${pid}/ns/mnt`)
  return readdirSync('/proc')
    .map(Number)
    .filter((other) => other > 0 && mountsOf(other) === mounts)
}

function mountsOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`)
  } catch {
    return undefined
  }
}
