import type { Receipt } from '#lib/wire'
import type { ContextOptions } from './context.ts'

/** The receipt of a context whose launcher was gone before it could give one: nothing measured but our own clock. */
export function lostReceipt(
  context: string,
  { launcher, limits }: ContextOptions,
  identity: { pid: number; uid: number } = { pid: 0, uid: 0 },
): Receipt {
  const { memoryBytes, timeoutMs } = limits
  const now = Date.now()
  return {
    context,
    level: launcher.level,
    reuse: 0,
    pid: identity.pid,
    uid: identity.uid,
    limits: { memoryBytes, memoryBy: launcher.memoryBy, timeoutMs },
    peakBytes: null,
    cpuMs: null,
    startedAt: now,
    readyAt: null,
    acquiredAt: null,
    endedAt: now,
    endedBy: 'worker-gone',
    exitCode: null,
    signal: null,
    leftOver: 0,
  }
}
