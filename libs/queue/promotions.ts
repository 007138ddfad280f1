import type { Redis } from 'ioredis'
import * as z from 'zod'
import { type QueueScope, serviceKeys } from './names.ts'
import { parseMessage } from './parse-message.ts'

/** A new value of a secret is live: whoever keeps an older generation reads anew. A hint, never the value; it may be lost. */
export const Promotion = z.strictObject({
  secret: z.string().max(100),
  /** The KV version that is live now. */
  generation: z.int().positive(),
})
export type Promotion = z.infer<typeof Promotion>

/** The channel on which promotions of a cluster and environment are told. */
export const promotionChannel = (scope: QueueScope): string =>
  serviceKeys(scope, 'rotator').key('tb:promoted')

/** Tells everyone who listens. */
export async function publishPromotion(redis: Redis, scope: QueueScope, promotion: Promotion): Promise<void> {
  await redis.publish(promotionChannel(scope), JSON.stringify(Promotion.parse(promotion)))
}

/** What a message on the channel says; undefined when it is none of ours. */
export const parsePromotion = (text: string): Promotion | undefined => parseMessage(Promotion, text)
