import { type Clock, type Log, systemClock } from '#lib/runtime'
import type { VaultClient, VaultNames } from '#lib/vault'
import type { LeaseResult } from '#lib/wire'
import { type ChildToken, TRUST_MARGIN_MS } from './child-token.ts'
import { LeasesEndedError } from './errors.ts'
import type { SidecarIdentity } from './identity.ts'
import { traced } from './tracing.ts'

/** How much longer than its attempt a token lives, so that the attempt's end can still revoke it. */
const TOKEN_SLACK_MS = 60_000
/** How long the end waits for lease calls under way before it revokes what is there. */
const IN_FLIGHT_GRACE_MS = 500
/** How long the end itself tries; then the identity goes on in the background. */
const END_BUDGET_MS = 10_000

/** Whose leases these are. */
export interface LeaseSetOptions {
  identity: SidecarIdentity
  vault: Pick<VaultClient, 'dbCreds'>
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

/** A leased database user. The credentials are the attempt's own, so they go to it in clear. */
export interface Lease extends LeaseResult {
  /** Asked at + ttl - margin, epoch milliseconds. */
  readonly trustedUntil: number
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
  #minting: Promise<ChildToken> | undefined
  #granted = 0
  #ending: Promise<number> | undefined

  private constructor(options: LeaseSetOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** Asks Vault for nothing yet: an attempt that leases nothing costs no call. */
  static async open(options: LeaseSetOptions): Promise<LeaseSet> {
    return new LeaseSet(options)
  }

  /**
   * This attempt's own database user; the same one when asked again while it is trusted.
   * @throws LeasesEndedError, VaultError (denied when the type may not)
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

  /** Revokes everything and gives the number of leases that are revoked. Safe to call again: the same answer. */
  end(): Promise<number> {
    this.#ending ??= traced('revoke', { 'threadbound.agent.type': this.#options.agentType }, async (span) => {
      const revoked = await this.#end()
      span.setAttribute('threadbound.leases.revoked', revoked)
      return revoked
    })
    return this.#ending
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
  }

  #traced(secret: string): Promise<Lease> {
    const attributes = {
      'threadbound.secret.name': secret,
      'threadbound.agent.type': this.#options.agentType,
    }
    return traced(`lease ${secret}`, attributes, async (span) => {
      const lease = await this.#request(secret)
      span.setAttribute('threadbound.lease.ttl_ms', lease.ttlMs)
      return lease
    })
  }

  async #request(secret: string): Promise<Lease> {
    const { vault, names, databases } = this.#options
    const path = names.credentials(secret)
    this.#refuseAfterEnd(secret)
    const child = await this.#token()
    this.#refuseAfterEnd(secret)
    const askedAt = this.#clock.now()
    const { username, password, ttlMs } = await vault.dbCreds(child.token.reveal(), path)
    this.#granted++
    this.#refuseAfterEnd(secret)
    const database = Object.hasOwn(databases, secret) ? databases[secret]! : ''
    const credentials = { user: username, password, database }
    return { name: secret, credentials, ttlMs, trustedUntil: askedAt + ttlMs - TRUST_MARGIN_MS }
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

  /** First what is there, then what calls under way still bring. */
  async #end(): Promise<number> {
    const grace = new AbortController()
    const settled = Promise.allSettled(this.#inFlight)
    const waited = this.#clock.sleep(IN_FLIGHT_GRACE_MS, grace.signal).catch(() => {})
    await Promise.race([settled, waited])
    grace.abort()
    const before = await this.#revokeAll()
    await settled
    return before + (await this.#revokeAll())
  }

  async #revokeAll(): Promise<number> {
    const { identity, log, agentType, meta } = this.#options
    const leases = this.#granted
    this.#granted = 0
    for (const child of this.#tokens) {
      this.#tokens.delete(child)
      if (await this.#withinBudget((signal) => identity.revoke(child, signal))) continue
      log.error({ agentType, ...meta, leases }, 'leases not revoked yet; trying on until their TTL ends them')
      identity.revokeLater(child)
      return 0
    }
    return leases
  }

  async #withinBudget(work: (signal: AbortSignal) => Promise<boolean>): Promise<boolean> {
    const budget = new AbortController()
    const done = new AbortController()
    const timer = this.#clock.sleep(END_BUDGET_MS, done.signal).then(
      () => budget.abort(),
      () => {},
    )
    const revoked = await work(budget.signal)
    done.abort()
    await timer
    return revoked
  }
}
