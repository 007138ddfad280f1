/**
 * What other services import (`threadbound/client`). No dependency; Node >= 18.
 *
 * A call is made again after a network error only where that is safe: reading always, enqueueing because every request
 * carries an idempotency key.
 */
export { type ClientOptions, type EnqueueOptions, ThreadboundClient, type WaitOptions } from './client.ts'
export { RequestFailedError, ThreadboundError } from './errors.ts'
export type { Accepted, AgentView, Outcome, RequestView } from './views.ts'
