import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'

const SHELL = '/bin/sh'

/** Kills one process if it is still there. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {}
}

/** Kills every process of a uid at once, those that made sessions of their own as well. What is left is swept again. */
export async function killUid(uid: number): Promise<void> {
  const killer = spawn(SHELL, ['-c', 'kill -9 -1'], { uid, gid: uid, env: {}, cwd: '/', stdio: 'ignore' })
  // While the uid has all the processes that it may have, it can have no killer.
  await once(killer, 'exit').catch(() => {})
}

/** Kills processes that may be starting others meanwhile: stopped ones start none, and keep their places from new ones. */
export function killAll(list: () => number[]): void {
  const stopped = new Set<number>()
  for (let found = list(); found.some((pid) => !stopped.has(pid)); found = list())
    for (const pid of found) {
      stopped.add(pid)
      stopProcess(pid)
    }
  for (const pid of stopped) killProcess(pid)
}

function stopProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGSTOP')
  } catch {}
}

/** The signal behind an exit code as a shell or bubblewrap gives it: 128 + number. */
export function signalBehind(code: number | null): string | null {
  if (code === null || code <= 128) return null
  return Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0] ?? null
}
