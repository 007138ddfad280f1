import { messageOf, slept, type Clock, type Log } from '#lib/runtime'
import { Deadlines } from './deadlines.ts'

/** What is kept of a lease. Times are milliseconds since the epoch. */
export interface LeaseRecord {
  id: string
  /** The path that it was asked at. */
  path: string
  kind: 'token' | 'secret'
  /** The hash of the token that it hangs on. */
  owner: string
  issuedAt: number
  expiresAt: number
  /** It is never extended beyond this. */
  notAfter?: number
  renewedAt?: number
  renewable: boolean
  /** What its engine needs to end it. */
  internal?: unknown
}

/** A right that ends by itself: a token's own life, or a secret's. */
export interface Lease extends LeaseRecord {
  /** Gives the new time to live; absent where renewal is not possible here. */
  renew?: (incrementMs: number) => Promise<number>
  revoke: () => Promise<void>
}

const FIRST_RETRY_MS = 10_000
const ATTEMPTS = 6

/**
 * All leases. A lease that ends by time or with its token leaves the table at once and is revoked in the background:
 * six attempts, from 10 s on and doubling, then it is irrevocable, which is logged.
 */
export class LeaseStore implements AsyncDisposable {
  readonly #clock: Clock
  readonly #log: Log
  readonly #leases = new Map<string, Lease>()
  readonly #byOwner = new Map<string, Set<string>>()
  readonly #ending = new Map<Lease, Promise<void>>()
  #onChange = () => {}
  #keepsSecrets = false
  readonly #stop = new AbortController()
  readonly #deadlines: Deadlines
  #isPaused = false

  constructor(options: { clock: Clock; log: Log }) {
    this.#clock = options.clock
    this.#log = options.log
    this.#deadlines = new Deadlines(options.clock, (now) => this.#expire(now))
  }

  add(lease: Lease): void {
    if (lease.notAfter !== undefined) lease.expiresAt = Math.min(lease.expiresAt, lease.notAfter)
    this.#leases.set(lease.id, lease)
    const owned = this.#byOwner.get(lease.owner) ?? new Set()
    this.#byOwner.set(lease.owner, owned.add(lease.id))
    this.#deadlines.expect(lease.expiresAt)
  }

  /** The lease, unless it has ended. */
  get(id: string): Lease | undefined {
    const lease = this.#leases.get(id)
    return lease && lease.expiresAt > this.#clock.now() ? lease : undefined
  }

  /** @returns the time to live that it has now */
  extend(lease: Lease, ttlMs: number): number {
    const now = this.#clock.now()
    lease.expiresAt = Math.min(now + ttlMs, lease.notAfter ?? Number.POSITIVE_INFINITY)
    lease.renewedAt = now
    this.#deadlines.expect(lease.expiresAt)
    return lease.expiresAt - now
  }

  /** Revokes now. A failure leaves the lease where it was. */
  async revoke(lease: Lease): Promise<void> {
    await lease.revoke()
    this.#forget(lease)
  }

  /** Ends now, revokes in the background. */
  revokeLazily(lease: Lease): void {
    if (!this.#leases.has(lease.id)) return
    this.#forget(lease)
    const ending = this.#revokeWithRetries(lease).then((isOver) => {
      if (!isOver) return
      this.#ending.delete(lease)
      this.#onChange()
    })
    this.#ending.set(lease, ending)
  }

  /** Ends everything that a token holds. */
  revokeOwnedBy(owner: string): void {
    for (const id of this.#byOwner.get(owner) ?? []) this.revokeLazily(this.#leases.get(id)!)
  }

  /** Takes the lease of a token that has ended out of the table. */
  forgetId(id: string): void {
    const lease = this.#leases.get(id)
    if (lease) this.#forget(lease)
  }

  under(prefix: string): Lease[] {
    const now = this.#clock.now()
    return [...this.#leases.values()].filter((lease) => lease.id.startsWith(prefix) && lease.expiresAt > now)
  }

  /** Lets nothing expire until `resume`: a sealed Vault does nothing. */
  pause(): void {
    this.#isPaused = true
  }

  /** What is overdue ends now. */
  resume(): void {
    this.#isPaused = false
    this.#deadlines.expect(this.#clock.now())
  }

  /** Resolves when no revocation is under way. Tests wait for it. */
  async settled(): Promise<void> {
    const seen = new Set<Promise<void>>()
    for (let left = [...this.#ending.values()]; left.length > 0;) {
      for (const ending of left) seen.add(ending)
      await Promise.all(left)
      left = [...this.#ending.values()].filter((ending) => !seen.has(ending))
    }
  }

  /** All that is not over, revocations that have not succeeded yet included: those are due at once. */
  save(): LeaseRecord[] {
    const ending = [...this.#ending.keys()].map((lease) => ({ ...recordOf(lease), expiresAt: 0 }))
    return [...this.#leases.values()].map(recordOf).concat(ending)
  }

  /** Takes back what was saved; from then on a secret outlives the end of this process. */
  load(records: readonly LeaseRecord[], bind: (record: LeaseRecord) => Lease | undefined): void {
    for (const record of records) {
      const lease = bind(record)
      if (lease) this.add(lease)
    }
  }

  /** Secrets that are left at the end are kept, since a store has them, instead of being revoked. */
  keepSecrets(): void {
    this.#keepsSecrets = true
  }

  /** Calls back after what happens by itself, not by a request. */
  whenChanged(onChange: () => void): void {
    this.#onChange = onChange
  }

  /** Revokes every secret that is left, each once, unless a store has them: nothing else would. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deadlines[Symbol.asyncDispose]()
    if (!this.#keepsSecrets)
      for (const lease of this.#leases.values()) if (lease.kind === 'secret') this.revokeLazily(lease)
    this.#stop.abort()
    await this.settled()
  }

  #expire(now: number): number | undefined {
    if (this.#isPaused) return undefined
    let next: number | undefined
    for (const lease of this.#leases.values()) {
      if (lease.expiresAt <= now) this.revokeLazily(lease)
      else if (next === undefined || lease.expiresAt < next) next = lease.expiresAt
    }
    return next
  }

  #forget(lease: Lease): void {
    this.#leases.delete(lease.id)
    const owned = this.#byOwner.get(lease.owner)
    owned?.delete(lease.id)
    if (owned?.size === 0) this.#byOwner.delete(lease.owner)
  }

  /** @returns false when the end of the process came first */
  async #revokeWithRetries(lease: Lease): Promise<boolean> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      try {
        await lease.revoke()
        return true
      } catch (error) {
        this.#log.warn({ leasePath: lease.path, attempt, error: messageOf(error) }, 'lease not revoked')
      }
      const waitMs = FIRST_RETRY_MS * 2 ** (attempt - 1)
      if (!(await slept(this.#clock, waitMs, this.#stop.signal))) return false
    }
    this.#log.error({ leasePath: lease.path }, 'lease is irrevocable')
    return true
  }
}

function recordOf({ renew: _renew, revoke: _revoke, ...record }: Lease): LeaseRecord {
  return record
}
