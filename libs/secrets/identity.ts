import { type Clock, type Log, steadyClock } from '#lib/runtime'
import type { VaultClient, VaultNames } from '#lib/vault'
import { type ChildToken, childToken } from './child-token.ts'
import type { Login } from './login.ts'
import { OwnToken } from './own-token.ts'
import { revokeChild } from './revocation.ts'

/** What of the Vault client an identity uses. */
export type IdentityVault = Pick<
  VaultClient,
  'renewSelf' | 'revokeSelf' | 'createToken' | 'lookupAccessor' | 'revokeAccessor' | 'kvWrite'
>

/** Who a sidecar is to Vault, and by what. */
export interface IdentityOptions {
  vault: IdentityVault
  names: VaultNames
  login: Login
  log: Log
  clock?: Clock | undefined
  random?: (() => number) | undefined
}

type Settled = IdentityOptions & { clock: Clock; random: () => number }

/** A token for an agent type, as asked for. */
export interface MintOptions {
  ttlMs: number
  /** Facts for Vault's own audit log: request, attempt. */
  meta?: Record<string, string> | undefined
}

/**
 * The sidecar's own standing with Vault: it reads no secret, it mints tokens that do.
 * Its token is an {@link OwnToken}; of one that died without revoking it, the next sidecar does so.
 */
export class SidecarIdentity implements AsyncDisposable {
  readonly #options: Settled
  readonly #stop = new AbortController()
  readonly #background = new Set<Promise<unknown>>()
  readonly #own: OwnToken
  #disposing: Promise<void> | undefined
  #minted = 0

  private constructor(options: Settled, own: OwnToken) {
    this.#options = options
    this.#own = own
  }

  /** Logs in, and keeps the token alive until disposed. @throws what the login throws */
  static async open(options: IdentityOptions): Promise<SidecarIdentity> {
    const all = { ...options, clock: options.clock ?? steadyClock, random: options.random ?? Math.random }
    return new SidecarIdentity(all, await OwnToken.open(all))
  }

  /** Names the own token to Vault without being one: it may lie on disk. */
  get accessor(): string {
    return this.#own.accessor
  }

  /** Aborts when the token has ended for good. The service should end then: only a new login helps. */
  get lost(): AbortSignal {
    return this.#own.lost
  }

  /** How many tokens were asked for so far. */
  get minted(): number {
    return this.#minted
  }

  /** Until when the token is trusted, epoch milliseconds. */
  get trustedUntil(): number {
    return this.#own.trustedUntil
  }

  /** Mints a token of the agent type's role; Vault decides what it may. @throws IdentityLostError, VaultError */
  async mint(agentType: string, { ttlMs, meta }: MintOptions): Promise<ChildToken> {
    this.#minted++
    const { vault, names, clock } = this.#options
    const askedAt = clock.now()
    const role = names.agent(agentType)
    const asked = { ttlMs, meta, displayName: agentType }
    const auth = await this.#own.use((token) => vault.createToken(token, role, asked))
    return childToken(agentType, askedAt, auth)
  }

  /** True when Vault knows the token no more. @throws IdentityLostError, VaultError */
  async isGone(child: ChildToken): Promise<boolean> {
    const { vault } = this.#options
    return (await this.#own.use((token) => vault.lookupAccessor(token, child.accessor))) === undefined
  }

  /**
   * Ends the token of a sidecar before this one, and all that was minted from it. A token that Vault does not show as a
   * sidecar's of this cluster is left alone. @throws IdentityLostError, VaultError
   */
  async endPredecessor(accessor: string): Promise<'ended' | 'gone' | 'not-ours'> {
    const { vault, names } = this.#options
    const found = await vault.lookupAccessor(this.#own.reveal(), accessor)
    if (!found) return 'gone'
    if (found.policies.join() !== names.sidecar) return 'not-ours'
    await vault.revokeAccessor(this.#own.reveal(), accessor)
    return 'ended'
  }

  /** Notes how far the sidecar's audit log goes: with the own token, which may write this and read nothing. @throws IdentityLostError, VaultError */
  async noteAuditHead(head: { seq: number; hash: string }): Promise<void> {
    const { vault, names } = this.#options
    await vault.kvWrite(this.#own.reveal(), names.auditHead('sidecar'), { ...head })
  }

  /** Revokes a minted token until Vault confirms; false when `signal` aborted first. Never throws. */
  revoke(child: ChildToken, signal: AbortSignal): Promise<boolean> {
    return revokeChild({ ...this.#options, ownToken: () => this.#own.reveal(), signal }, child)
  }

  /** The same in the background, until it is done or this identity ends (which ends the token too). */
  revokeLater(child: ChildToken): void {
    this.#inBackground(this.revoke(child, this.#stop.signal))
  }

  /** Ends the token and all that was minted from it. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose()
    return this.#disposing
  }

  async #dispose(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#background)
    await this.#own[Symbol.asyncDispose]()
  }

  #inBackground(work: Promise<unknown>): void {
    const done = work.finally(() => this.#background.delete(done))
    this.#background.add(done)
  }
}
