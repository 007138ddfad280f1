import { type Clock, type Log, messageOf, repeatEvery } from '#lib/runtime'
import type { Attempts } from './attempts.ts'
import type { LiveAttempt } from './live-attempt.ts'

/** Well under the two seconds in which what an attempt leased must be gone. */
const EVERY_MS = 1000

/** Whether the holder of a lock token has the job's lock. */
export type IsLockHeld = (agentType: string, lock: { jobId: string; lockToken: string }) => Promise<boolean>

export interface LockWatchOptions {
  attempts: Pick<Attempts, 'list' | 'end'>
  isLockHeld: IsLockHeld
  clock: Clock
  log: Log
}

/**
 * Ends the grant of an attempt whose worker has lost the job: another attempt of it may begin elsewhere, and a worker that
 * was asked would not say so. While Redis does not answer nobody else gets the job either: the grant stays.
 */
export function watchLocks({ attempts, isLockHeld, clock, log }: LockWatchOptions): AsyncDisposable {
  const check = async ({ grant }: LiveAttempt) => {
    if (!(await isLockHeld(grant.agentType, grant))) void attempts.end(grant.id, 'lock-lost')
  }
  return repeatEvery(clock, EVERY_MS, async () => {
    await Promise.all(attempts.list().map(check)).catch((error: unknown) =>
      log.debug({ error: messageOf(error) }, 'locks not looked at'),
    )
  })
}
