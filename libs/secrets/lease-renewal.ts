import { type Clock, type Log, messageOf } from '#lib/runtime'
import type { VaultClient } from '#lib/vault'
import { type ChildToken, TRUST_MARGIN_MS } from './child-token.ts'

const RETRY_MS = 1000

/** A lease as its renewal sees it. */
export interface RenewedLease {
  leaseId: string
  ttlMs: number
  trustedUntil: number
}

/** What a renewal needs. */
export interface LeaseRenewalOptions {
  vault: Pick<VaultClient, 'leaseRenew'>
  /** The token that the lease hangs on. */
  child: ChildToken
  lease: RenewedLease
  clock: Clock
  log: Log
  signal: AbortSignal
}

/**
 * Renews a lease at two thirds of its TTL, for as long as its token outlives it. A lease that lives as long as its
 * token costs no call. Never throws: after a failure it tries again each second until trust runs out.
 */
export async function renewLease(
  options: LeaseRenewalOptions,
  onTrust: (trustedUntil: number) => void,
): Promise<void> {
  const { vault, child, clock, log, signal } = options
  let { leaseId, ttlMs, trustedUntil } = options.lease
  let pauseMs = (ttlMs * 2) / 3
  while (trustedUntil < child.trustedUntil - TRUST_MARGIN_MS && clock.now() < trustedUntil) {
    await clock.sleep(pauseMs, signal).catch(() => {})
    if (signal.aborted) return
    const askedAt = clock.now()
    try {
      const renewed = await vault.leaseRenew(child.token.reveal(), leaseId, ttlMs)
      trustedUntil = askedAt + renewed.ttlMs - TRUST_MARGIN_MS
      pauseMs = Math.max(RETRY_MS, (renewed.ttlMs * 2) / 3)
      onTrust(trustedUntil)
    } catch (error) {
      log.warn({ agentType: child.agentType, error: messageOf(error) }, 'renewal of a lease failed')
      pauseMs = RETRY_MS
    }
  }
}
