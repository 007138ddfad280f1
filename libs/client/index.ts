/**
 * What other services import (`threadbound/client`). No dependency; Node >= 20.3.
 *
 * 1. A call is made again, up to five times, after a network error or a 503, but only where that is safe: reading
 *    and cancelling always, enqueueing because every request carries an idempotency key.
 * 2. Every call ends: without an answer for 10 s (beyond what it asked the producer to wait) it counts as lost.
 */
export { type ClientOptions, type EnqueueOptions, ThreadboundClient, type WaitOptions } from './client.ts'
export { RequestFailedError, ThreadboundError } from './errors.ts'
export type { Accepted, AgentView, Level, Outcome, Receipt, RequestView } from './views.ts'
