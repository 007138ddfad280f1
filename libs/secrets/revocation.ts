import { type Clock, type Log, messageOf } from '#lib/runtime'
import { isVaultError, type VaultClient } from '#lib/vault'
import { type ChildToken, TRUST_MARGIN_MS } from './child-token.ts'
import { IdentityLostError } from './errors.ts'

const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 10_000

/** How a minted token is ended. */
export interface RevocationOptions {
  vault: Pick<VaultClient, 'revokeSelf' | 'revokeAccessor' | 'lookupAccessor'>
  /** The sidecar's own token, which may end what it minted. */
  ownToken: () => string
  clock: Clock
  log: Log
  /** Gives up when aborted. */
  signal: AbortSignal
}

/**
 * Ends a token, and with it its leases. Repeats until Vault confirms that it is gone, its TTL has passed, or the
 * signal aborts; false only in the last case. Never throws.
 *
 * Vault's 204 to revoke-self is its confirmation. Where the token was refused (an earlier answer was lost, or someone
 * else ended it) the accessor is looked up: one more call only when there is doubt.
 */
export async function revokeChild(options: RevocationOptions, child: ChildToken): Promise<boolean> {
  const { clock, log, signal } = options
  const endsAt = child.trustedUntil + TRUST_MARGIN_MS * 2
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      await revokeOnce(options, child)
      return true
    } catch (error) {
      if (clock.now() >= endsAt || error instanceof IdentityLostError) return true
      log.warn(
        { agentType: child.agentType, tries, error: messageOf(error) },
        'revocation failed, trying again',
      )
    }
    await clock.sleep(Math.min(FIRST_PAUSE_MS * 2 ** tries, MAX_PAUSE_MS), signal).catch(() => {})
  }
  return false
}

/** With the own token lost there is nothing to ask with, and nothing to ask: a child ends with its parent. */
async function revokeOnce({ vault, ownToken }: RevocationOptions, child: ChildToken): Promise<void> {
  const refused = await vault.revokeSelf(child.token.reveal()).then(() => false, whenDenied)
  if (!refused || (await vault.lookupAccessor(ownToken(), child.accessor)) === undefined) return
  await vault.revokeAccessor(ownToken(), child.accessor)
}

function whenDenied(error: unknown): true {
  if (isVaultError(error, 'denied')) return true
  throw error
}
