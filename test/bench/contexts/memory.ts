import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { processesBelow } from '../../support/seen-from-outside.ts'
import type { Opener } from './cell.ts'
import type { Running } from './contender.ts'

const SETTLE_MS = 300

/** The processes below another. */
export const descendants = (of: number): number[] => processesBelow(of).slice(1)

/** What these processes hold, shared pages divided among all that share them, bytes. */
export function pssOf(pids: number[]): number {
  return pids.reduce((sum, pid) => sum + pssOfOne(pid), 0)
}

function pssOfOne(pid: number): number {
  try {
    return (
      Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024
    )
  } catch {
    return 0
  }
}

/** How many requests are inside for how long; the memory must be still before they leave. */
export interface Held {
  count: number
  holdMs: number
}

/** What each of `count` contexts adds while it is inside its request, bytes. Pools are charged with what they start ahead. */
export async function memoryOfContext(
  open: Opener,
  { count, holdMs }: Held,
): Promise<{ name: string; bytes: number }> {
  const own = pssOf([process.pid])
  await using running = await open()
  await running.perSecond(count)
  const pids = running.processes()
  const isWorker = running.contender.name.startsWith('threadbound')
  const empty = isWorker ? await settled(running) : pids.includes(process.pid) ? own : 0
  const held = running.hold(count, holdMs)
  await delay(holdMs / 4)
  const full = await settled(running)
  await held
  return {
    name: running.contender.name,
    bytes: Math.max(0, (full - empty) / Math.max(count, running.startedAhead ?? 0)),
  }
}

/** The first value that stays for a moment, or the last one when none does in time. */
export async function settled(running: Pick<Running, 'processes'>): Promise<number> {
  let last = pssOf(running.processes())
  for (let look = 0; look < 6; look++) {
    await delay(SETTLE_MS)
    const now = pssOf(running.processes())
    if (Math.abs(now - last) < Math.max(now, last) * 0.01) return now
    last = now
  }
  return last
}
