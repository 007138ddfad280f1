import { type Clock, type Log, messageOf } from '#lib/runtime'
import { isVaultError, type VaultClient } from '#lib/vault'
import { TRUST_MARGIN_MS, type ChildToken } from './child-token.ts'

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
 * Vault's 204 to revoke-self is its confirmation. Where the first answer was lost, or the token was refused, the
 * accessor is looked up: one more call only when there is doubt.
 */
export async function revokeChild(options: RevocationOptions, child: ChildToken): Promise<boolean> {
  const { clock, log, signal } = options
  const endsAt = child.trustedUntil + TRUST_MARGIN_MS * 2
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      await revokeOnce(options, child, tries)
      return true
    } catch (error) {
      if (clock.now() >= endsAt) return true
      log.warn(
        { agentType: child.agentType, tries, error: messageOf(error) },
        'revocation failed, trying again',
      )
    }
    await clock.sleep(Math.min(FIRST_PAUSE_MS * 2 ** tries, MAX_PAUSE_MS), signal).catch(() => {})
  }
  return false
}

async function revokeOnce(options: RevocationOptions, child: ChildToken, tries: number): Promise<void> {
  const { vault, ownToken } = options
  if (tries === 0) {
    const denied = await vault.revokeSelf(child.token.reveal()).then(() => false, whenDenied)
    if (!denied) return
  } else await vault.revokeAccessor(ownToken(), child.accessor)
  if (await vault.lookupAccessor(ownToken(), child.accessor)) throw new Error('the token still lives')
}

function whenDenied(error: unknown): true {
  if (isVaultError(error, 'denied')) return true
  throw error
}
