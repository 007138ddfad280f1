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

/** What a sidecar tells the others of an operator's word. It may be lost: a secret's is noted in Vault, too. */
export const RevocationNotice = z.strictObject({
  target: RevocationTarget,
  operator: Name,
  keepRunning: z.boolean(),
  /** Which sidecar tells: it has done it already. */
  from: z.string().max(100),
})
export type RevocationNotice = z.infer<typeof RevocationNotice>

/** The channel between the sidecars of a cluster and environment. */
export const revocationChannel = (scope: QueueScope): string =>
  serviceKeys(scope, 'sidecar').key('tb:revoked')

/** Tells all sidecars. */
export async function publishRevocation(
  redis: Redis,
  scope: QueueScope,
  notice: RevocationNotice,
): Promise<void> {
  await redis.publish(revocationChannel(scope), JSON.stringify(RevocationNotice.parse(notice)))
}

/** What a message on the channel says; undefined when it is none of ours. */
export const parseRevocation = (text: string): RevocationNotice | undefined =>
  parseMessage(RevocationNotice, text)
