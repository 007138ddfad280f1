import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { constants } from 'node:os'

const SHELL = '/bin/sh'
const TICKS_PER_SECOND = 100

/** Kills one process if it is still there. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {}
}

/** Kills every process of a uid at once, those that made sessions of their own as well. */
export async function killUid(uid: number): Promise<void> {
  const killer = spawn(SHELL, ['-c', 'kill -9 -1'], { uid, gid: uid, env: {}, cwd: '/', stdio: 'ignore' })
  await once(killer, 'exit')
}

/** The living processes of a uid. */
export function processesOf(uid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(
      (pid) => pid > 0 && statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === uid && isAlive(pid),
    )
}

/** False for what has ended, reaped or not. */
export function isAlive(pid: number): boolean {
  const state = statOf(pid)?.[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** Processor time that these processes have used, ms; null when none is left to ask. */
export function cpuMsOf(pids: number[]): number | null {
  const stats = pids.map(statOf).filter((stat) => stat !== undefined)
  if (stats.length === 0) return null
  const ticks = stats.reduce((sum, stat) => sum + Number(stat[11]) + Number(stat[12]), 0)
  return (ticks * 1000) / TICKS_PER_SECOND
}

/** The signal behind an exit code as a shell or bubblewrap gives it: 128 + number. */
export function signalBehind(code: number | null): string | null {
  if (code === null || code <= 128) return null
  return Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0] ?? null
}

/** The fields of /proc/<pid>/stat after the name, from the state on. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
