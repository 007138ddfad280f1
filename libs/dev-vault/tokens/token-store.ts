import { type Clock, hashCredential, isSameHash } from '#lib/runtime'
import { badRequest } from '../errors.ts'
import { randomBase62 } from '../ids.ts'
import type { Lease, LeaseRecord, LeaseStore } from '../leases.ts'
import { grantTtl } from '../ttl.ts'
import { BatchTokens } from './batch-tokens.ts'
import type { RenewalLimits, TokenEntry } from './token-entry.ts'

/** What a new token is made from; everything else has a default. */
export type NewToken = Pick<TokenEntry, 'policies' | 'path' | 'displayName' | 'ttlMs'> &
  Partial<Omit<TokenEntry, 'hash' | 'accessor' | 'createdAt'>> & { id?: string }

/** The limits that count when a token is renewed, where its role or auth method says; undefined: its own. */
export type LimitsOf = (entry: TokenEntry) => RenewalLimits | undefined

export interface SavedTokens {
  entries: TokenEntry[]
  batchKey: Buffer
}

/**
 * The service tokens, by the hash of each, and what opens batch tokens. A service token with a time to live has a lease
 * of its own at `<path>/h<hash>`, through which it expires and can be revoked by prefix.
 */
export class TokenStore {
  readonly #clock: Clock
  readonly #leases: LeaseStore
  readonly #byHash = new Map<string, TokenEntry>()
  readonly #byAccessor = new Map<string, TokenEntry>()
  readonly #children = new Map<string, Set<string>>()
  readonly #limitsOf: LimitsOf
  #batch = new BatchTokens()

  constructor(options: { clock: Clock; leases: LeaseStore; limitsOf: LimitsOf }) {
    this.#clock = options.clock
    this.#leases = options.leases
    this.#limitsOf = options.limitsOf
  }

  /** Makes a token. The token itself is given once, here. */
  create({ id, ...fields }: NewToken): { token: string; entry: TokenEntry } {
    if (fields.kind === 'batch') return this.#batch.make({ ...this.#blank(), ...fields, renewable: false })
    const token = id ?? `hvs.${randomBase62(32)}`
    const hash = hashCredential(token)
    if (this.#byHash.has(hash)) throw badRequest('cannot create a token with a duplicate ID')
    const entry: TokenEntry = { ...this.#blank(), ...fields, hash, accessor: randomBase62(24) }
    this.#keep(entry)
    return { token, entry }
  }

  /** A root token without end: this one, or a new one. */
  createRoot(id?: string): { token: string; entry: TokenEntry } {
    return this.create({
      ...(id !== undefined && { id }),
      policies: ['root'],
      path: 'auth/token/root',
      displayName: 'root',
      ttlMs: 0,
      renewable: false,
    })
  }

  /** The live token that hashes alike, or says all of itself. */
  find(token: string): TokenEntry | undefined {
    const batch = this.#batch.open(token)
    if (batch) return this.isLive(batch) ? batch : undefined
    const hash = hashCredential(token)
    const entry = this.#byHash.get(hash)
    return entry && isSameHash(entry.hash, hash) && !this.#isOver(entry) ? entry : undefined
  }

  /** A batch token ends with its time or its parent, a service token when it is dropped too. */
  isLive(entry: TokenEntry): boolean {
    if (entry.kind === 'service') return this.findAccessor(entry.accessor) === entry
    const parent = entry.parent === undefined ? undefined : this.#byHash.get(entry.parent)
    const isOrphaned = entry.parent !== undefined && (!parent || this.#isOver(parent))
    return !isOrphaned && endOf(entry) > this.#clock.now()
  }

  findAccessor(accessor: string): TokenEntry | undefined {
    const entry = this.#byAccessor.get(accessor)
    return entry && !this.#isOver(entry) ? entry : undefined
  }

  accessors(): string[] {
    return [...this.#byAccessor.keys()].filter((accessor) => this.findAccessor(accessor))
  }

  /** The lease of the token's own life; a root token without end has none. */
  leaseOf(entry: TokenEntry): Lease | undefined {
    if (entry.kind === 'batch') return this.#lifeOf(entry)
    return this.#leases.get(leaseId(entry))
  }

  /** @throws VaultRefusal 400 when it cannot be renewed */
  renew(entry: TokenEntry, incrementMs: number): { ms: number; warnings: string[] } {
    if (entry.kind === 'batch') throw badRequest('batch tokens cannot be renewed')
    const lease = this.leaseOf(entry)
    if (!lease) throw badRequest('invalid lease ID')
    if (!lease.renewable) throw badRequest('lease is not renewable')
    const limits: RenewalLimits = this.#limitsOf(entry) ?? {
      periodMs: entry.periodMs,
      explicitMaxMs: entry.explicitMaxMs,
    }
    const granted = grantTtl({
      now: this.#clock.now(),
      issuedAt: lease.issuedAt,
      incrementMs,
      ...limits,
      defaultMs: limits.defaultMs ?? entry.ttlMs,
    })
    this.#leases.extend(lease, granted.ms)
    return granted
  }

  /** Counts one use. @returns true when it was the last one */
  use(entry: TokenEntry): boolean {
    if (entry.usesLeft === 0) return false
    entry.usesLeft--
    if (entry.usesLeft > 0) return false
    entry.usesLeft = -1
    return true
  }

  /** Ends a token, all its descendants, and every lease that they hold. */
  revokeTree(entry: TokenEntry): void {
    const pending = [entry]
    for (let next = pending.pop(); next; next = pending.pop()) {
      for (const child of this.#children.get(next.hash) ?? []) pending.push(this.#byHash.get(child)!)
      this.#drop(next)
    }
  }

  /** Ends a token alone: its children become orphans. */
  revokeOrphan(entry: TokenEntry): void {
    for (const child of this.#children.get(entry.hash) ?? []) this.#byHash.get(child)!.parent = undefined
    this.#drop(entry)
  }

  save(): SavedTokens {
    return { entries: [...this.#byHash.values()], batchKey: this.#batch.key }
  }

  /** Takes back what was saved; the leases of their lives come with the other leases. */
  load({ entries, batchKey }: SavedTokens): void {
    this.#batch = new BatchTokens(batchKey)
    for (const entry of entries) this.#index(entry)
  }

  /** The lease of a token's life from its record; undefined when the token is gone. */
  bindLife(record: LeaseRecord): Lease | undefined {
    const entry = this.#byHash.get(record.owner)
    return entry && { ...record, revoke: async () => this.revokeTree(entry) }
  }

  #blank() {
    return {
      kind: 'service' as const,
      accessor: '',
      parent: undefined,
      meta: null,
      role: undefined,
      usesLeft: 0,
      periodMs: 0,
      explicitMaxMs: 0,
      renewable: true,
      cidrs: [],
      createdAt: this.#clock.now(),
    }
  }

  #keep(entry: TokenEntry): void {
    this.#index(entry)
    if (entry.ttlMs > 0) this.#leases.add(this.#lifeOf(entry))
  }

  #index(entry: TokenEntry): void {
    this.#byHash.set(entry.hash, entry)
    this.#byAccessor.set(entry.accessor, entry)
    if (entry.parent !== undefined) {
      const siblings = this.#children.get(entry.parent) ?? new Set()
      this.#children.set(entry.parent, siblings.add(entry.hash))
    }
  }

  #lifeOf(entry: TokenEntry): Lease {
    return {
      id: leaseId(entry),
      path: entry.path,
      kind: 'token',
      owner: entry.hash,
      issuedAt: entry.createdAt,
      expiresAt: endOf(entry),
      renewable: entry.renewable,
      revoke: async () => this.revokeTree(entry),
    }
  }

  #isOver(entry: TokenEntry): boolean {
    return entry.usesLeft < 0 || (entry.ttlMs > 0 && !this.leaseOf(entry))
  }

  #drop(entry: TokenEntry): void {
    if (!this.#byHash.delete(entry.hash)) return
    this.#byAccessor.delete(entry.accessor)
    this.#children.delete(entry.hash)
    if (entry.parent !== undefined) this.#leaveParent(entry.parent, entry.hash)
    delete entry.wrapped
    this.#leases.forgetId(leaseId(entry))
    this.#leases.revokeOwnedBy(entry.hash)
  }

  #leaveParent(parent: string, hash: string): void {
    const siblings = this.#children.get(parent)
    siblings?.delete(hash)
    if (siblings?.size === 0) this.#children.delete(parent)
  }
}

/** What leases of a token hang on: a batch token's, which can't be revoked, on its parent, up to its own end. */
export function holderOf(entry: TokenEntry): { owner: string; notAfter?: number } {
  if (entry.kind === 'service') return { owner: entry.hash }
  return { owner: entry.parent ?? entry.hash, notAfter: endOf(entry) }
}

const endOf = (entry: TokenEntry) => entry.createdAt + entry.ttlMs
const leaseId = (entry: TokenEntry) => `${entry.path}/h${entry.hash}`
