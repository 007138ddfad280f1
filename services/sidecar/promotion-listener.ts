import type { Redis } from 'ioredis'
import { parsePromotion, promotionChannel, type QueueScope } from '#lib/queue'
import { type Log, onDispose } from '#lib/runtime'
import type { SecretReader } from '#lib/secrets'

export interface PromotionListenerOptions {
  /** A connection that only listens; it ends with this. */
  channel: Redis
  scope: QueueScope
  reader: Pick<SecretReader, 'promoted' | 'doubt'>
  log: Log
}

/**
 * Hears which generation of a secret is live, so that no attempt that begins now is given an older one. A message is a hint:
 * the cache asks Vault. What was told while the connection was lost is not told again, so then every value is in doubt.
 */
export async function listenForPromotions({
  channel,
  scope,
  reader,
  log,
}: PromotionListenerOptions): Promise<AsyncDisposable> {
  const hear = (on: string, text: string) => {
    if (on !== promotionChannel(scope)) return
    const promotion = parsePromotion(text)
    if (!promotion) return log.warn({}, 'a message that is no promotion')
    log.info(promotion, 'promotion heard')
    reader.promoted(promotion.secret, promotion.generation)
  }
  const doubt = () => reader.doubt()
  await channel.subscribe(promotionChannel(scope))
  channel.on('message', hear).on('ready', doubt)
  return onDispose(() => {
    channel.off('message', hear).off('ready', doubt).disconnect()
  })
}
