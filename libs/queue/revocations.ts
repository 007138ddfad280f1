import type { Redis } from 'ioredis'
import * as z from 'zod'
import { type QueueScope, serviceKeys } from './names.ts'
import { parseMessage } from './parse-message.ts'

const Name = z.string().max(100)

/** What an operator ends: a secret up to a generation, all that an agent type holds, or all of a trace. */
export const RevocationTarget = z.union([
  z.strictObject({ secret: Name, generation: z.int().nonnegative().optional() }),
  z.strictObject({ agentType: Name }),
  z.strictObject({ trace: z.string().regex(/^[\da-f]{32}$/, 'expected 32 hexadecimal digits') }),
])
export type RevocationTarget = z.infer<typeof RevocationTarget>

/** What a sidecar tells the others of an operator's word. */
export const RevocationNotice = z.strictObject({
  target: RevocationTarget,
  operator: Name,
  keepRunning: z.boolean(),
  /** Which sidecar tells: it has done it already. */
  from: z.string().max(100),
})
export type RevocationNotice = z.infer<typeof RevocationNotice>

/** Revocations kept for sidecars that start later or were cut off; about as many, since Redis trims whole nodes of a stream. */
const KEPT = 10_000

/**
 * The stream of a cluster and environment (one, since its user may write no other kind), and the channel on which a message
 * says that there is something to read in it.
 */
export const revocationsKey = (scope: QueueScope): string => serviceKeys(scope, 'sidecar').key('tb:revoked')

/** Puts a revocation where every sidecar finds it, and has those that listen look now. */
export async function publishRevocation(
  redis: Redis,
  scope: QueueScope,
  notice: RevocationNotice,
): Promise<void> {
  const text = JSON.stringify(RevocationNotice.parse(notice))
  await redis.xadd(revocationsKey(scope), 'MAXLEN', '~', KEPT, '*', 'notice', text)
  await redis.publish(revocationsKey(scope), '')
}

/** The revocations after a place in the stream, the oldest first; what is none of ours is left out. */
export async function readRevocations(
  redis: Redis,
  scope: QueueScope,
  after?: string,
): Promise<ToldRevocations> {
  const entries = await redis.xrevrange(revocationsKey(scope), '+', after === undefined ? '-' : `(${after}`)
  const notices = entries
    .toReversed()
    .flatMap(([, [, text]]) => parseMessage(RevocationNotice, text ?? '') ?? [])
  return { notices, last: entries[0]?.[0] ?? after }
}

/** What was read. */
export interface ToldRevocations {
  notices: RevocationNotice[]
  /** The place of the last one, for the next read; undefined while there is none. */
  last: string | undefined
}
