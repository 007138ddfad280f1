import type { QueueRef } from '#lib/queue'
import type { Redis } from 'ioredis'
import type { AttemptMemory } from './attempt.ts'

/** Sets the document only where it is still the one that the attempt began with; an attempt that lost its lock loses here. */
const SWAP = `
local now = redis.call('GET', KEYS[1]) or ''
if now ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

/** A singleton's memory was changed by another attempt meanwhile; this attempt's change is not kept. */
export class MemoryConflictError extends Error {
  override readonly name = 'MemoryConflictError'
  readonly type = 'memory-conflict'
}

/** `ctx.memory` of a singleton: one JSON document per tenant, kept `maxAgeMs` after its last change. */
export function openMemory(redis: Redis, queue: QueueRef, maxAgeMs: number) {
  return async (tenant: string): Promise<AttemptMemory> => {
    const key = queue.key(`tb:memory:${tenant}`)
    const before = await redis.get(key)
    return {
      value: before === null ? undefined : JSON.parse(before),
      async save(value) {
        const kept = await redis.eval(SWAP, 1, key, before ?? '', JSON.stringify(value), maxAgeMs)
        if (kept !== 1) throw new MemoryConflictError('the memory was changed by another attempt')
      },
    }
  }
}

/** For thread-bound agent types: nothing lasts. */
export const noMemory = async (): Promise<AttemptMemory> => ({ value: undefined, save: async () => {} })
