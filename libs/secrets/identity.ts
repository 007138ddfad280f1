import { type Clock, type Log, messageOf, slept, steadyClock } from '#lib/runtime'
import { isVaultError, type VaultAuth, type VaultClient, type VaultNames } from '#lib/vault'
import { type ChildToken, childToken, TRUST_MARGIN_MS } from './child-token.ts'
import { IdentityLostError } from './errors.ts'
import type { Login } from './login.ts'
import { revokeChild } from './revocation.ts'
import { SecretValue } from './secret-value.ts'

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
 * N1: the token is trusted until asked at + ttl - margin; a renewal that is slow or fails extends nothing.
 * N2: it is renewed at two thirds of its TTL. When that fails for good it is lost, loudly: `lost` aborts, `mint` throws.
 * N3: a refusal of the own token's may be its end and not its policy (someone revoked it, Vault's clock was set): a renewal
 *     tells at once, so that it is lost within a second and not at two thirds of its TTL.
 * N4: disposal revokes it if it is its own, and with it everything minted from it. Of one that died without, the next one does so.
 */
export class SidecarIdentity implements AsyncDisposable {
  readonly #options: Settled
  readonly #stop = new AbortController()
  readonly #lost = new AbortController()
  readonly #background = new Set<Promise<unknown>>()
  readonly #token: SecretValue
  #doubt = new AbortController()
  #checking: Promise<unknown> | undefined
  /** Names the token to Vault without being one: it may lie on disk. */
  readonly accessor: string
  #ttlMs = 0
  #trustedUntil = 0
  #disposing: Promise<void> | undefined
  #minted = 0

  private constructor(options: Settled, askedAt: number, auth: VaultAuth) {
    this.#options = options
    this.#token = new SecretValue('vault-token sidecar', auth.token)
    this.accessor = auth.accessor
    this.#trust(askedAt, auth)
    this.#inBackground(this.#renewing())
  }

  /** Logs in, and keeps the token alive until disposed. @throws what the login throws */
  static async open(options: IdentityOptions): Promise<SidecarIdentity> {
    const all = { ...options, clock: options.clock ?? steadyClock, random: options.random ?? Math.random }
    const askedAt = all.clock.now()
    return new SidecarIdentity(all, askedAt, await options.login.logIn())
  }

  /** Aborts when the token has ended for good. The service should end then: only a new login helps. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** How many tokens were asked for so far. */
  get minted(): number {
    return this.#minted
  }

  /** Until when the token is trusted, epoch milliseconds. */
  get trustedUntil(): number {
    return this.#trustedUntil
  }

  /** Mints a token of the agent type's role; Vault decides what it may. @throws IdentityLostError, VaultError */
  async mint(agentType: string, { ttlMs, meta }: MintOptions): Promise<ChildToken> {
    this.#minted++
    const { vault, names, clock } = this.#options
    const askedAt = clock.now()
    const role = names.agent(agentType)
    const asked = { ttlMs, meta, displayName: agentType }
    const auth = await this.#asSelf((token) => vault.createToken(token, role, asked))
    return childToken(agentType, askedAt, auth)
  }

  /** True when Vault knows the token no more. @throws IdentityLostError, VaultError */
  async isGone(child: ChildToken): Promise<boolean> {
    const { vault } = this.#options
    return (await this.#asSelf((token) => vault.lookupAccessor(token, child.accessor))) === undefined
  }

  /**
   * Ends the token of a sidecar before this one, and all that was minted from it. A token that Vault does not show as a
   * sidecar's of this cluster is left alone. @throws IdentityLostError, VaultError
   */
  async endPredecessor(accessor: string): Promise<'ended' | 'gone' | 'not-ours'> {
    const { vault, names } = this.#options
    const found = await vault.lookupAccessor(this.#own(), accessor)
    if (!found) return 'gone'
    if (found.policies.join() !== names.sidecar) return 'not-ours'
    await vault.revokeAccessor(this.#own(), accessor)
    return 'ended'
  }

  /** Notes how far the sidecar's audit log goes: with the own token, which may write this and read nothing. @throws IdentityLostError, VaultError */
  async noteAuditHead(head: { seq: number; hash: string }): Promise<void> {
    const { vault, names } = this.#options
    await vault.kvWrite(this.#own(), names.auditHead('sidecar'), { ...head })
  }

  /** Revokes a minted token until Vault confirms; false when `signal` aborted first. Never throws. */
  revoke(child: ChildToken, signal: AbortSignal): Promise<boolean> {
    return revokeChild({ ...this.#options, ownToken: () => this.#own(), signal }, child)
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
    const { vault, login, log } = this.#options
    if (login.ownsToken)
      await vault.revokeSelf(this.#token.reveal()).catch((error: unknown) => {
        log.error({ error: messageOf(error) }, 'own token not revoked; its TTL ends it')
      })
    this.#lost.abort(new IdentityLostError())
    this.#token.wipe()
  }

  #own(): string {
    if (this.#lost.signal.aborted || this.#options.clock.now() >= this.#trustedUntil)
      throw new IdentityLostError()
    return this.#token.reveal()
  }

  /** A call with the own token. @throws IdentityLostError when it is refused because that token has ended */
  async #asSelf<T>(call: (token: string) => Promise<T>): Promise<T> {
    try {
      return await call(this.#own())
    } catch (error) {
      if (!isVaultError(error, 'denied')) throw error
      this.#checking ??= this.#renew().finally(() => (this.#checking = undefined))
      if (!isVaultError(await this.#checking, 'denied')) throw error
      this.#doubt.abort()
      throw new IdentityLostError()
    }
  }

  #trust(askedAt: number, auth: VaultAuth): void {
    this.#ttlMs = auth.ttlMs
    this.#trustedUntil = askedAt + auth.ttlMs - TRUST_MARGIN_MS
  }

  #inBackground(work: Promise<unknown>): void {
    const done = work.finally(() => this.#background.delete(done))
    this.#background.add(done)
  }

  async #renewing(): Promise<void> {
    const { clock, log } = this.#options
    for (let failures = 0; await this.#pause(failures);) {
      const error = await this.#renew()
      failures = error ? failures + 1 : 0
      if (!error || this.#stop.signal.aborted) continue
      log.warn({ failures, error: messageOf(error) }, 'renewal of the own token failed')
      const refused = failures > 1 && isVaultError(error, 'denied')
      if (refused || clock.now() >= this.#trustedUntil) return this.#lose()
    }
  }

  /** At two thirds of the TTL, up to a tenth earlier, or when it is in doubt; after a failure from 1 s, doubling, ever within what is left. */
  async #pause(failures: number): Promise<boolean> {
    const { clock, random } = this.#options
    const left = Math.max(0, this.#trustedUntil - clock.now())
    const regular = Math.max(100, this.#ttlMs * (2 / 3) * (1 - random() / 10))
    const backoff = Math.max(100, Math.min(1000 * 2 ** (failures - 1), 300_000, left / 3))
    this.#doubt = new AbortController()
    const woken = AbortSignal.any([this.#stop.signal, this.#doubt.signal])
    await slept(clock, failures === 0 ? regular : backoff, woken)
    return !this.#stop.signal.aborted
  }

  async #renew(): Promise<unknown> {
    const askedAt = this.#options.clock.now()
    const stopped = Promise.withResolvers<undefined>()
    const onStop = () => stopped.resolve(undefined)
    this.#stop.signal.addEventListener('abort', onStop, { once: true })
    try {
      const renewal = this.#options.vault.renewSelf(this.#token.reveal())
      const auth = await Promise.race([renewal, stopped.promise])
      if (auth) this.#trust(askedAt, auth)
      else renewal.catch(() => {})
      return undefined
    } catch (error) {
      return error
    } finally {
      this.#stop.signal.removeEventListener('abort', onStop)
    }
  }

  #lose(): void {
    this.#options.log.error({}, 'the own Vault token is lost; a new login needs a new start')
    this.#lost.abort(new IdentityLostError())
  }
}
