import type { VaultAuth } from '#lib/vault'
import { SecretValue } from './secret-value.ts'

/** How much sooner than Vault we stop trusting what it gave: clocks differ, answers travel. */
export const TRUST_MARGIN_MS = 1000

/** A token minted for one agent type. Ends with the sidecar's own, at its TTL, or when revoked. */
export interface ChildToken {
  readonly agentType: string
  readonly token: SecretValue
  readonly accessor: string
  readonly ttlMs: number
  /** Asked at + ttl - margin, epoch milliseconds: a slow answer never extends it. */
  readonly trustedUntil: number
}

/** The token of an answer that was asked for at `askedAt`. */
export function childToken(agentType: string, askedAt: number, auth: VaultAuth): ChildToken {
  return {
    agentType,
    token: new SecretValue(`vault-token ${agentType}`, auth.token),
    accessor: auth.accessor,
    ttlMs: auth.ttlMs,
    trustedUntil: askedAt + auth.ttlMs - TRUST_MARGIN_MS,
  }
}
