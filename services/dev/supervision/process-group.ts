import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 20
/** What the kernel may take to end a killed process: its memory is given back first. */
const KILLED_MS = 1000

/** Sends a signal to every process of a group. A group that is gone is no error. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  send(-group, signal)
}

/** Sends a signal to one process. A process that is gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  send(pid, signal)
}

/** True while the group has a process, a zombie included. */
function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/**
 * Waits until a group has no process left. After `patienceMs` it kills what is there, and waits until that is gone; for a second
 * at most, since there may be nobody who takes a zombie away.
 */
export async function endGroup(group: number, patienceMs: number): Promise<void> {
  await untilGone(group, patienceMs)
  if (!groupExists(group)) return
  signalGroup(group, 'SIGKILL')
  await untilGone(group, KILLED_MS)
}

async function untilGone(group: number, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs
  while (groupExists(group) && performance.now() < until) await delay(POLL_MS)
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
