import { randomBytes } from 'node:crypto'
import { type Clock, hashCredential, isSameHash } from '#lib/runtime'
import type { AcceptedKeys } from '../keys.ts'
import { type Account, Ledger, type ProjectKey } from './ledger.ts'

/** What a new key shall be. */
export interface NewKey {
  name: string
  expiresInSeconds: number | null
}

/** A key that was just made: its value is in no other answer. */
export interface MadeKey {
  key: ProjectKey
  value: string
}

export interface OrganizationOptions {
  keys: AcceptedKeys
  clock: Clock
  /** Where it is kept. Default: in memory. */
  stateFile?: string | undefined
  /** How long a new key is refused before it is known everywhere. Default 0. */
  propagationMs?: number | undefined
}

/**
 * OpenAI's organization, as far as keys go: projects, their service accounts and their keys.
 * O1: a key is accepted from its making (and propagation) to its end: its deletion, its account's, or its expiry.
 * O2: what was answered outlives the stand-in. O3: with other keys to begin with, it begins anew: so did all that knew
 * the old ones.
 */
export class Organization {
  readonly #options: OrganizationOptions
  readonly #ledger: Ledger

  constructor(options: OrganizationOptions) {
    this.#options = options
    this.#ledger = new Ledger(options.stateFile)
  }

  /** True when the key may use models now; notes that it was used. */
  use(value: string): boolean {
    const hash = hashCredential(value)
    const found = this.#state().keys.find((key) => isSameHash(key.hash, hash))
    if (!found || !this.#isAlive(found)) return false
    found.lastUsedAt = this.#now()
    return true
  }

  /** True for a key that administers the organization. It uses no models. */
  isAdmin(value: string): boolean {
    return this.#options.keys.has('openai-admin', value)
  }

  /** A project's service accounts, the oldest first. */
  accounts(project: string): Account[] {
    return this.#state().accounts.filter((account) => account.project === project)
  }

  /** A project's keys that have not expired, the oldest first. */
  keys(project: string): ProjectKey[] {
    return this.#state().keys.filter((key) => key.project === project && !this.#isExpired(key))
  }

  /** A service account, with a key unless it shall have none. */
  createAccount(
    project: string,
    { name, expiresInSeconds, withKey }: NewKey & { withKey: boolean },
  ): { account: Account; made: MadeKey | undefined } {
    const id = `svc_acct_${randomId()}`
    const account: Account = {
      id,
      project,
      name,
      role: withKey ? 'member' : 'none',
      createdAt: this.#now(),
    }
    this.#state().accounts.push(account)
    const made = withKey ? this.#make(account, { name: 'Secret Key', expiresInSeconds }) : undefined
    this.#ledger.save()
    return { account, made }
  }

  /** A further key of a service account; undefined when there is no such account. */
  createKey(project: string, accountId: string, key: NewKey): MadeKey | undefined {
    const account = this.accounts(project).find(({ id }) => id === accountId)
    const made = account && this.#make(account, key)
    this.#ledger.save()
    return made
  }

  /** Ends a service account and its keys. False when there is none. */
  deleteAccount(project: string, id: string): boolean {
    if (!this.accounts(project).some((account) => account.id === id)) return false
    const state = this.#state()
    state.accounts = state.accounts.filter((account) => account.id !== id)
    state.keys = state.keys.filter(({ accountId }) => accountId !== id)
    this.#ledger.save()
    return true
  }

  /** Ends one key; its account and the account's other keys stay. False when there is none. */
  deleteKey(project: string, id: string): boolean {
    if (!this.keys(project).some((key) => key.id === id)) return false
    const state = this.#state()
    state.keys = state.keys.filter((key) => key.id !== id)
    this.#ledger.save()
    return true
  }

  #make(account: Account, { name, expiresInSeconds }: NewKey): MadeKey {
    const value = `sk-svcacct-${randomBytes(36).toString('base64url')}`
    const now = this.#now()
    const expiresAt = expiresInSeconds === null ? null : now + expiresInSeconds
    const key = { ...keyOf(account, value), name, createdAt: now, expiresAt }
    this.#state().keys.push(key)
    return { key, value }
  }

  /** Begins anew when the file of keys has another content than this one began with. */
  #state() {
    const { keys, content } = this.#options.keys.openai()
    if (this.#ledger.state.begunWith === content) return this.#ledger.state
    const accounts = [...new Set(keys.map(({ project }) => project))].map(firstAccount)
    const accountOf = (project: string) => accounts.find((account) => account.project === project)!
    this.#ledger.state = {
      begunWith: content,
      accounts,
      keys: keys.map(({ key, project }) => keyOf(accountOf(project), key)),
    }
    this.#ledger.save()
    return this.#ledger.state
  }

  #isAlive(key: ProjectKey): boolean {
    const knownAt = key.createdAt * 1000 + (key.createdAt > 0 ? (this.#options.propagationMs ?? 0) : 0)
    return !this.#isExpired(key) && this.#options.clock.now() >= knownAt
  }

  #isExpired({ expiresAt }: ProjectKey): boolean {
    return expiresAt !== null && this.#options.clock.now() >= expiresAt * 1000
  }

  #now(): number {
    return Math.floor(this.#options.clock.now() / 1000)
  }
}

/** The one that the keys of the file are of. */
const firstAccount = (project: string): Account => ({
  id: `svc_acct_first_${project}`,
  project,
  name: 'first',
  role: 'member',
  createdAt: 0,
})

function keyOf(account: Account, value: string): ProjectKey {
  const hash = hashCredential(value)
  return {
    id: `key_${hash.slice(0, 16)}`,
    accountId: account.id,
    project: account.project,
    name: account.name,
    hash,
    redacted: `${value.slice(0, 8)}...${value.slice(-4)}`,
    createdAt: 0,
    expiresAt: null,
    lastUsedAt: null,
  }
}

const randomId = () => randomBytes(12).toString('hex')
