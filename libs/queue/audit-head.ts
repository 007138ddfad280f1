import type { Redis } from 'ioredis'
import type { QueueRef } from './names.ts'

/** How far an audit log goes: the number of its last line, and its hash. */
export interface NotedHead {
  seq: number
  hash: string
}

/** Notes the head of a service's audit log; the one before is forgotten. A stream, since its user may write no other kind. */
export async function noteHead(redis: Redis, keys: QueueRef, { seq, hash }: NotedHead): Promise<void> {
  await redis.xadd(headKey(keys), 'MAXLEN', 1, '*', 'seq', seq, 'hash', hash)
}

/** The head that was noted last; undefined when none was. */
export async function readHead(redis: Redis, keys: QueueRef): Promise<NotedHead | undefined> {
  const [entry] = await redis.xrevrange(headKey(keys), '+', '-', 'COUNT', 1)
  if (!entry) return undefined
  const [, , seq, , hash] = ['', ...entry[1]]
  return { seq: Number(seq), hash: String(hash) }
}

const headKey = (keys: QueueRef) => keys.key('tb:audit')
