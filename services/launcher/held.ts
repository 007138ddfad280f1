import type { EndedBy, ToLauncher } from '#lib/wire'

/** A context as the launcher holds it, whatever it is made of. */
export interface HeldContext {
  /** An attempt has entered. */
  readonly isAcquired: boolean
  /** Resolves when it is gone and told. */
  readonly ended: Promise<void>
  /** Starts it, and tells `started` or `start-failed`. Never throws. */
  start(): Promise<void>
  /** An attempt enters: from here on its limits hold. */
  acquire(message: Extract<ToLauncher, { t: 'acquire' }>): Promise<void>
  /** Kills it; the first reason counts. */
  end(by: EndedBy): void
}
