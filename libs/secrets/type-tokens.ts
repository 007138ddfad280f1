import type { Clock } from '#lib/runtime'
import { isVaultError } from '#lib/vault'
import type { ChildToken } from './child-token.ts'
import type { SidecarIdentity } from './identity.ts'

const TTL_MS = 3_600_000
/** A token with less than this part of its TTL left is replaced before it is used again. */
const REPLACE_BELOW = 0.1

/**
 * One service token per agent type, for static secrets: minted when first needed, replaced before it ends.
 * Minting is single-flight, so a burst of reads costs one mint.
 */
export class TypeTokens implements AsyncDisposable {
  readonly #identity: SidecarIdentity
  readonly #clock: Clock
  readonly #tokens = new Map<string, ChildToken>()
  readonly #minting = new Map<string, Promise<ChildToken>>()
  #disposed = false

  constructor(identity: SidecarIdentity, clock: Clock) {
    this.#identity = identity
    this.#clock = clock
  }

  /** A token of the agent type that is trusted now. @throws IdentityLostError, VaultError */
  async of(agentType: string): Promise<ChildToken> {
    const current = this.#tokens.get(agentType)
    if (current && current.trustedUntil - this.#clock.now() > current.ttlMs * REPLACE_BELOW) return current
    const minting = this.#minting.get(agentType) ?? this.#mint(agentType)
    this.#minting.set(agentType, minting)
    return minting
  }

  /**
   * Calls with a token of the agent type; once more with a new one when the refusal was the token's end and not its policy.
   * @throws what `call` throws, IdentityLostError, VaultError
   */
  async use<T>(agentType: string, call: (token: string) => Promise<T>): Promise<T> {
    const child = await this.of(agentType)
    try {
      return await call(child.token.reveal())
    } catch (error) {
      if (!isVaultError(error, 'denied') || !(await this.#forgetIfGone(child))) throw error
      return call((await this.of(agentType)).token.reveal())
    }
  }

  /** Ends the agent type's token, if it has one: the next call mints another. */
  end(agentType: string): void {
    const child = this.#tokens.get(agentType)
    if (!child) return
    this.#tokens.delete(agentType)
    this.#identity.revokeLater(child)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await Promise.allSettled(this.#minting.values())
    for (const child of this.#tokens.values()) this.#identity.revokeLater(child)
    this.#tokens.clear()
  }

  /** True when Vault refuses because the token has ended, not because of its policy; it is forgotten then. */
  async #forgetIfGone(child: ChildToken): Promise<boolean> {
    if (this.#tokens.get(child.agentType) !== child) return true
    if (!(await this.#identity.isGone(child))) return false
    if (this.#tokens.get(child.agentType) === child) this.#tokens.delete(child.agentType)
    return true
  }

  async #mint(agentType: string): Promise<ChildToken> {
    try {
      const child = await this.#identity.mint(agentType, { ttlMs: TTL_MS, meta: { agent_type: agentType } })
      const old = this.#tokens.get(agentType)
      if (old) this.#identity.revokeLater(old)
      if (this.#disposed) this.#identity.revokeLater(child)
      else this.#tokens.set(agentType, child)
      return child
    } finally {
      this.#minting.delete(agentType)
    }
  }
}
