import type { Redis } from 'ioredis'
import type { QueueRef } from './names.ts'
import { EVENTS_KEPT } from './queue.ts'

/** Why a job of a cancelled request failed, as BullMQ keeps it. */
export const CANCELLED_REASON = 'cancelled: the request was cancelled'
/** Of a job: when its request was cancelled, milliseconds since the epoch. BullMQ knows no such field and leaves it. */
const MARK = 'tb:cancelledAt'
/** Cancels that a worker may have missed and still hears of when it is back; older ones it finds as marks. */
const CANCELS_KEPT = 1000

/**
 * What became of a request that is to be cancelled. `cancelled`: it waited, and has ended. `cancelling`: an attempt of it
 * runs; its worker is told. `ended`: it had ended before, whichever way. `unknown`: no such job is kept.
 */
export type Cancelled = 'cancelled' | 'cancelling' | 'ended' | 'unknown'

/**
 * One step for Redis, so that no worker takes the job between the look and the removal.
 * The mark and BullMQ's own deferred failure (`defa`) lie on the job: whoever takes it later, after a retry, a hand-back or
 * the death of its worker, fails it without calling the processor. A job that waits is moved to BullMQ's failed set, where
 * `removeOnFail`, the events, idempotency keys and the console treat it as any other.
 */
const CANCEL = `
local job, wait, active, delayed, prioritized, completed, failed, events, cancels = unpack(KEYS)
local id, now, reason, eventsKept, cancelsKept = unpack(ARGV)
if redis.call('EXISTS', job) == 0 then return 'unknown' end
if redis.call('ZSCORE', completed, id) or redis.call('ZSCORE', failed, id) then return 'ended' end
local isFirst = redis.call('HSETNX', job, '${MARK}', now) == 1
redis.call('HSET', job, 'defa', reason)
local from = (redis.call('ZREM', delayed, id) == 1 and 'delayed')
  or (redis.call('ZREM', prioritized, id) == 1 and 'prioritized')
  or (not redis.call('LPOS', active, id) and redis.call('LREM', wait, 1, id) == 1 and 'waiting')
if not from then
  if isFirst then redis.pcall('XADD', cancels, 'MAXLEN', '~', cancelsKept, '*', 'id', id) end
  return 'cancelling'
end
redis.call('ZADD', failed, now, id)
redis.call('HSET', job, 'failedReason', reason, 'finishedOn', now)
redis.call('HDEL', job, 'defa')
redis.call('XADD', events, 'MAXLEN', '~', eventsKept, '*', 'event', 'failed', 'jobId', id, 'failedReason', reason, 'prev', from)
return 'cancelled'`

/**
 * Cancels a request. Idempotent: again, it does what is left to do. What it answers lasts as long as Redis' data: its
 * worker may die right after, the request ends `cancelled` all the same unless its attempt completes first.
 */
export async function cancelRequest(redis: Redis, queue: QueueRef, id: string): Promise<Cancelled> {
  const sets = ['wait', 'active', 'delayed', 'prioritized', 'completed', 'failed', 'events', 'tb:cancels']
  const keys = [id, ...sets].map((suffix) => queue.key(suffix))
  const facts = [id, Date.now(), CANCELLED_REASON, EVENTS_KEPT, CANCELS_KEPT]
  return (await redis.eval(CANCEL, keys.length, ...keys, ...facts)) as Cancelled
}

/** When a request was cancelled, milliseconds since the epoch; undefined when it was not. */
export async function readCancelledAt(
  redis: Redis,
  queue: QueueRef,
  id: string,
): Promise<number | undefined> {
  const mark = await redis.hget(queue.key(id), MARK)
  return mark === null ? undefined : Number(mark)
}

/** Cancels of running requests, as their workers hear of them. */
export interface Cancels {
  ids: string[]
  /** Where to go on reading. */
  last: string
}

/** Where the cancels of a queue end now: what is read from here on is new. */
export async function latestCancel(redis: Redis, queue: QueueRef): Promise<string> {
  const [latest] = await redis.xrevrange(queue.key('tb:cancels'), '+', '-', 'COUNT', 1)
  return latest?.[0] ?? '0-0'
}

/** The cancels after `last`; waits for one up to `waitMs`, over a connection that nothing else needs meanwhile. */
export async function readCancels(
  redis: Redis,
  queue: QueueRef,
  { last, waitMs }: { last: string; waitMs: number },
): Promise<Cancels> {
  const answer = await redis.xread('BLOCK', waitMs, 'STREAMS', queue.key('tb:cancels'), last)
  const entries = answer?.[0]?.[1] ?? []
  return { ids: entries.map(([, fields]) => fields[1]!), last: entries.at(-1)?.[0] ?? last }
}
