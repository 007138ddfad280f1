import { type Clock, type Log, messageOf, slept, steadyClock } from '#lib/runtime'
import { isVaultError, type VaultAuth, type VaultClient } from '#lib/vault'
import { TRUST_MARGIN_MS } from './child-token.ts'
import { IdentityLostError } from './errors.ts'
import type { Login } from './login.ts'
import { SecretValue } from './secret-value.ts'

/** Who a service is to Vault, and by what. */
export interface OwnTokenOptions {
  vault: Pick<VaultClient, 'renewSelf' | 'revokeSelf'>
  login: Login
  log: Log
  /** For people. Default: sidecar. */
  service?: string | undefined
  clock?: Clock | undefined
  random?: (() => number) | undefined
}

type Settled = OwnTokenOptions & { clock: Clock; random: () => number }

/**
 * A service's own token.
 * N1: it is trusted until asked at + ttl - margin; a renewal that is slow or fails extends nothing.
 * N2: it is renewed at two thirds of its TTL. When that fails for good it is lost, loudly: `lost` aborts, `reveal` throws.
 * N3: a refusal of the own token's may be its end and not its policy (someone revoked it, Vault's clock was set): a renewal
 *     tells at once, so that it is lost within a second and not at two thirds of its TTL.
 * N4: disposal revokes it if it is the service's own, and with it everything minted from it.
 */
export class OwnToken implements AsyncDisposable {
  readonly #options: Settled
  readonly #stop = new AbortController()
  readonly #lost = new AbortController()
  readonly #renewals: Promise<void>
  #doubt = new AbortController()
  #checking: Promise<unknown> | undefined
  readonly #token: SecretValue
  /** Names the token to Vault without being one: it may lie on disk. */
  readonly accessor: string
  #ttlMs = 0
  #trustedUntil = 0
  #disposing: Promise<void> | undefined

  private constructor(options: Settled, askedAt: number, auth: VaultAuth) {
    this.#options = options
    this.#token = new SecretValue(`vault-token ${options.service ?? 'sidecar'}`, auth.token)
    this.accessor = auth.accessor
    this.#trust(askedAt, auth)
    this.#renewals = this.#renewing()
  }

  /** Logs in, and keeps the token alive until disposed. @throws what the login throws */
  static async open(options: OwnTokenOptions): Promise<OwnToken> {
    const all = { ...options, clock: options.clock ?? steadyClock, random: options.random ?? Math.random }
    const askedAt = all.clock.now()
    return new OwnToken(all, askedAt, await options.login.logIn())
  }

  /** Aborts when the token has ended for good. The service should end then: only a new login helps. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Until when the token is trusted, epoch milliseconds. */
  get trustedUntil(): number {
    return this.#trustedUntil
  }

  /** The token, for the one call that needs it. @throws IdentityLostError */
  reveal(): string {
    if (this.#lost.signal.aborted || this.#options.clock.now() >= this.#trustedUntil) throw this.#lostError()
    return this.#token.reveal()
  }

  /** A call with the token. @throws IdentityLostError when it is refused because the token has ended */
  async use<T>(call: (token: string) => Promise<T>): Promise<T> {
    try {
      return await call(this.reveal())
    } catch (error) {
      if (!isVaultError(error, 'denied')) throw error
      this.#checking ??= this.#renew().finally(() => (this.#checking = undefined))
      if (!isVaultError(await this.#checking, 'denied')) throw error
      this.#doubt.abort()
      throw this.#lostError()
    }
  }

  /** Ends the token and all that was minted from it. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose()
    return this.#disposing
  }

  async #dispose(): Promise<void> {
    this.#stop.abort()
    await this.#renewals
    const { vault, login, log } = this.#options
    if (login.ownsToken)
      await vault.revokeSelf(this.#token.reveal()).catch((error: unknown) => {
        log.error({ error: messageOf(error) }, 'own token not revoked; its TTL ends it')
      })
    this.#lost.abort(this.#lostError())
    this.#token.wipe()
  }

  #trust(askedAt: number, auth: VaultAuth): void {
    this.#ttlMs = auth.ttlMs
    this.#trustedUntil = askedAt + auth.ttlMs - TRUST_MARGIN_MS
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
    this.#lost.abort(this.#lostError())
  }

  #lostError(): IdentityLostError {
    return new IdentityLostError(this.#options.service)
  }
}
