import type { HeldLimits, Level, Receipt } from '#lib/wire'
import { limitsInForce } from './limits-in-force.ts'

/** All that is known of a context whose launcher is gone. */
export interface LostContext {
  context: string
  level: Level
  held: HeldLimits
  asked: Parameters<typeof limitsInForce>[1]
  /** Absent when it had not been started. */
  identity: { pid: number; uid: number } | undefined
}

/** The receipt of a context whose launcher was gone before it could give one: nothing measured but our own clock. */
export function lostReceipt({ context, level, held, asked, identity }: LostContext): Receipt {
  const now = Date.now()
  return {
    context,
    level,
    reuse: 0,
    pid: identity?.pid ?? 0,
    uid: identity?.uid ?? 0,
    limits: limitsInForce(held, asked),
    emptyBytes: null,
    peakBytes: null,
    overshootBytes: null,
    cpuMs: null,
    startedAt: now,
    readyAt: null,
    acquiredAt: null,
    endedAt: now,
    endedBy: 'worker-gone',
    exitCode: null,
    signal: null,
    leftOver: { processes: null, ipcObjects: null },
  }
}
