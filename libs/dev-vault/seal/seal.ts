import { randomUUID } from 'node:crypto'
import { badRequest } from '../errors.ts'
import { makeKeyring, openKeyring, type Keyring, type KeyringOptions } from './keyring.ts'

/** What `sys/seal-status` tells of it. */
export interface SealFacts {
  initialized: boolean
  sealed: boolean
  t: number
  n: number
  progress: number
  nonce: string
}

/**
 * Whether the Vault may be used. The key that opens it is in memory only while it is open; shares that are given one by
 * one wait here until there are enough of them.
 */
export class Seal {
  #keyring: Keyring | undefined
  #dataKey: Buffer | undefined
  #given: Buffer[] = []
  #nonce = ''

  /** A ring from a store makes it initialised and sealed. */
  constructor(keyring?: Keyring) {
    this.#keyring = keyring
  }

  get facts(): SealFacts {
    return {
      initialized: this.#keyring !== undefined,
      sealed: this.#dataKey === undefined,
      t: this.#keyring?.threshold ?? 0,
      n: this.#keyring?.shares ?? 0,
      progress: this.#given.length,
      nonce: this.#nonce,
    }
  }

  get keyring(): Keyring | undefined {
    return this.#keyring
  }

  /** The key of what is stored, while it is open. */
  get dataKey(): Buffer | undefined {
    return this.#dataKey
  }

  /** Makes the keys and opens. @returns the shares @throws VaultRefusal 400 */
  initialize(options: KeyringOptions): Buffer[] {
    refuseConfiguration(options)
    if (this.#keyring) throw badRequest('Vault is already initialized')
    const { keyring, parts, dataKey } = makeKeyring(options)
    this.#keyring = keyring
    this.#dataKey = dataKey
    return parts
  }

  /** Takes one share; with the last one it opens. @returns true when it has just opened @throws VaultRefusal 400 */
  offer(share: Buffer): boolean {
    if (!this.#keyring) throw badRequest('Vault is not initialized')
    if (this.#dataKey) return false
    if (this.#given.some((known) => known.equals(share))) return false
    if (this.#given.length === 0) this.#nonce = randomUUID()
    this.#given.push(share)
    if (this.#given.length < this.#keyring.threshold) return false
    const given = this.#given
    this.forgetShares()
    const isComparable = given.every(({ length }) => length === given[0]!.length)
    this.#dataKey = isComparable ? openKeyring(this.#keyring, given) : undefined
    if (!this.#dataKey) throw badRequest('unseal failed, invalid key')
    return true
  }

  /** Drops the shares that were given so far. */
  forgetShares(): void {
    this.#given = []
    this.#nonce = ''
  }

  close(): void {
    this.forgetShares()
    this.#dataKey?.fill(0)
    this.#dataKey = undefined
  }
}

/** The texts are Vault's. */
function refuseConfiguration({ shares, threshold }: { shares: number; threshold: number }): void {
  if (shares < 1) throw refuse('shares must be at least one')
  if (threshold < 1) throw refuse('threshold must be at least one')
  if (shares > 1 && threshold === 1) throw refuse('threshold must be greater than one for multiple shares')
  if (shares > 255) throw refuse('shares must be less than 256')
  if (threshold > shares) throw refuse('threshold cannot be larger than shares')
}

const refuse = (problem: string) => badRequest(`invalid seal configuration: ${problem}`)
