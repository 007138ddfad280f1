import { type Clock, type Log, steadyClock } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import { isVaultError, type VaultClient, type VaultNames } from '#lib/vault'
import type { LeaseResult } from '#lib/wire'
import { type ChildToken, TRUST_MARGIN_MS } from './child-token.ts'
import { LeasesEndedError, SecretDeniedError, SecretUnavailableError } from './errors.ts'
import type { SidecarIdentity } from './identity.ts'
import { type RenewedLease, renewLease } from './lease-renewal.ts'
import { inVaultSpan } from './vault-span.ts'

/** How much longer than its attempt a token lives, so that the attempt's end can still revoke it. */
const TOKEN_SLACK_MS = 60_000
/** How long the end waits for lease calls under way before it revokes what is there. */
const IN_FLIGHT_GRACE_MS = 500
/** How long the end itself tries; then the identity goes on in the background. */
const END_BUDGET_MS = 2000

/** Whose leases these are. */
export interface LeaseSetOptions {
  identity: SidecarIdentity
  vault: Pick<VaultClient, 'dbCreds' | 'leaseRenew'>
  names: VaultNames
  agentType: string
  /** The attempt's timeout: its token lives a minute longer at most. */
  timeoutMs: number
  /** The database's name of every dynamic secret that the type may lease. */
  databases: Readonly<Record<string, string>>
  /** Facts for Vault's own audit log: request, attempt. */
  meta?: Record<string, string> | undefined
  log: Log
  clock?: Clock | undefined
}

/** A leased database user, renewed while its attempt needs it. The credentials are the attempt's own, so they go to it in clear. */
export interface Lease extends LeaseResult {
  /** Asked at + ttl - margin, epoch milliseconds, when it was leased. */
  readonly trustedUntil: number
  /** By which Vault's own audit log knows the request that made the user. */
  readonly requestId: string | undefined
}

/** A lease asked for: trusted for ever while it is under way, so that a second asker waits for the first. */
interface Entry {
  leasing: Promise<Lease>
  trustedUntil: number
}

/**
 * The leases of one attempt, under a token of its own.
 * L1: a lease is trusted until asked at + ttl - margin, so a slow answer never extends it.
 * L2: the end revokes the token, and with it every lease; a lease call under way at the end is refused and what it
 *     brings is revoked too.
 * L3: the end never throws; what could not be revoked is logged, tried on in the background, and ends at its TTL.
 */
export class LeaseSet implements AsyncDisposable {
  readonly #options: LeaseSetOptions
  readonly #clock: Clock
  readonly #leases = new Map<string, Entry>()
  readonly #inFlight = new Set<Promise<unknown>>()
  readonly #tokens = new Set<ChildToken>()
  readonly #stop = new AbortController()
  #minting: Promise<ChildToken> | undefined
  #granted = 0
  #ending: Promise<number> | undefined

  private constructor(options: LeaseSetOptions) {
    this.#options = options
    this.#clock = options.clock ?? steadyClock
  }

  /** Asks Vault for nothing yet: an attempt that leases nothing costs no call. */
  static async open(options: LeaseSetOptions): Promise<LeaseSet> {
    return new LeaseSet(options)
  }

  /**
   * This attempt's own database user; the same one when asked again while it is trusted.
   * @throws SecretDeniedError, SecretUnavailableError, LeasesEndedError, IdentityLostError, VaultError
   */
  async lease(secret: string): Promise<Lease> {
    this.#refuseAfterEnd(secret)
    const known = this.#leases.get(secret)
    if (known && this.#clock.now() < known.trustedUntil) return known.leasing
    const entry = { leasing: this.#traced(secret), trustedUntil: Infinity }
    this.#leases.set(secret, entry)
    this.#track(this.#settle(secret, entry))
    return entry.leasing
  }

  /**
   * Revokes everything and gives the number of leases that are revoked. Safe to call again: the same answer.
   * A lease call that Vault leaves hanging is not waited for: what it brings is revoked when it comes.
   */
  end(): Promise<number> {
    this.#stop.abort()
    if (this.#tokens.size + this.#inFlight.size === 0) this.#ending ??= Promise.resolve(0)
    this.#ending ??= inVaultSpan(
      'revoke',
      { [attribute.agentType]: this.#options.agentType },
      async (span) => {
        const revoked = await this.#end()
        span.setAttribute(attribute.revokedLeases, revoked)
        return revoked
      },
    )
    return this.#ending
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
  }

  #traced(secret: string): Promise<Lease> {
    const attributes = {
      [attribute.secretName]: secret,
      [attribute.agentType]: this.#options.agentType,
    }
    return inVaultSpan(`lease ${secret}`, attributes, async (span) => {
      const lease = await this.#request(secret).catch((error: unknown) => this.#fail(secret, error))
      span.setAttribute(attribute.leaseTtlMs, lease.ttlMs)
      return lease
    })
  }

  /** A refusal may be the end of the attempt's own token and not its policy: that passes with the next attempt. */
  async #fail(secret: string, error: unknown): Promise<never> {
    const isDenied: boolean = isVaultError(error, 'denied')
    if (isVaultError(error) && (isDenied ? await this.#isTokenGone() : error.retryable))
      throw new SecretUnavailableError(secret, { cause: error })
    throw isDenied ? new SecretDeniedError(this.#options.agentType, secret) : error
  }

  async #isTokenGone(): Promise<boolean> {
    const [child] = this.#tokens
    return child !== undefined && (await this.#options.identity.isGone(child))
  }

  async #request(secret: string): Promise<Lease> {
    const { vault, names, databases } = this.#options
    const path = names.credentials(secret)
    const child = await this.#token()
    this.#refuseAfterEnd(secret)
    const askedAt = this.#clock.now()
    const { username, password, ttlMs, leaseId, requestId } = await vault.dbCreds(child.token.reveal(), path)
    this.#granted++
    this.#refuseAfterEnd(secret)
    const database = Object.hasOwn(databases, secret) ? databases[secret]! : ''
    const trustedUntil = Math.min(askedAt + ttlMs - TRUST_MARGIN_MS, child.trustedUntil)
    void this.#renew(secret, child, { leaseId, ttlMs, trustedUntil })
    const credentials = { user: username, password, database }
    return { name: secret, credentials, ttlMs, trustedUntil, requestId }
  }

  /** An attempt that outlives its lease keeps it; its token's end is the end of all. */
  async #renew(secret: string, child: ChildToken, lease: RenewedLease): Promise<void> {
    const { vault, log } = this.#options
    await renewLease(
      { vault, child, lease, clock: this.#clock, log, signal: this.#stop.signal },
      (trustedUntil) => {
        const entry = this.#leases.get(secret)
        if (entry) entry.trustedUntil = trustedUntil
      },
    )
  }

  #token(): Promise<ChildToken> {
    this.#minting ??= this.#mint().catch((error: unknown) => {
      this.#minting = undefined
      throw error
    })
    return this.#minting
  }

  async #mint(): Promise<ChildToken> {
    const { identity, agentType, timeoutMs, meta } = this.#options
    const child = await identity.mint(agentType, { ttlMs: timeoutMs + TOKEN_SLACK_MS, meta })
    this.#tokens.add(child)
    return child
  }

  #refuseAfterEnd(secret: string): void {
    if (this.#ending) throw new LeasesEndedError(secret)
  }

  /** Notes how the call ended; a failed one is forgotten, so that the next asks anew. */
  async #settle(secret: string, entry: Entry): Promise<void> {
    try {
      entry.trustedUntil = (await entry.leasing).trustedUntil
    } catch {
      if (this.#leases.get(secret) === entry) this.#leases.delete(secret)
    }
  }

  #track(work: Promise<void>): void {
    const done: Promise<unknown> = work.finally(() => this.#inFlight.delete(done))
    this.#inFlight.add(done)
  }

  /** First what is there; then, unwaited for, what calls under way still bring. */
  async #end(): Promise<number> {
    const settled = Promise.allSettled(this.#inFlight)
    await this.#within(IN_FLIGHT_GRACE_MS, () => settled)
    const hanging = this.#inFlight.size > 0
    const revoked = await this.#revokeAll()
    if (hanging) void settled.then(() => this.#revokeAll())
    return revoked
  }

  async #revokeAll(): Promise<number> {
    const { identity, log, agentType, meta } = this.#options
    const leases = this.#granted
    this.#granted = 0
    for (const child of this.#tokens) {
      this.#tokens.delete(child)
      if (await this.#within(END_BUDGET_MS, (signal) => identity.revoke(child, signal))) {
        child.token.wipe()
        continue
      }
      log.error({ agentType, ...meta, leases }, 'leases not revoked yet; trying on until their TTL ends them')
      identity.revokeLater(child)
      return 0
    }
    return leases
  }

  /** Gives what `work` gives, or undefined when the time is over first; its signal aborts then. */
  async #within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const late = new AbortController()
    const done = new AbortController()
    const timer = this.#clock.sleep(ms, done.signal).then(
      () => late.abort(),
      () => {},
    )
    const result = await Promise.race([work(late.signal), timer.then(() => undefined)])
    done.abort()
    return result
  }
}
