import * as z from 'zod'
import { isVaultError, type VaultClient, type VaultNames, type VaultPath } from '#lib/vault'
import { FencedError, RecordMalformedError } from './errors.ts'
import type { ProviderKey } from './provider.ts'
import { newRecord, RotationRecord } from './record.ts'

/** What of the Vault client a store uses. */
export type StoreVault = Pick<VaultClient, 'kvRead' | 'kvWrite'> & {
  readonly inventory: Pick<VaultClient['inventory'], 'remove'>
}

/** Makes a call with the token to make it with: `OwnToken.use`, or a token that is simply there. */
export type UseToken = <T>(call: (token: string) => Promise<T>) => Promise<T>

/** A record, and the KV version that the next write must find; 0 before the first. */
export interface Held {
  record: RotationRecord
  version: number
}

/** A secret's value as it lies in Vault, and whose making it is where it is of ours. */
export interface LiveValue {
  value: string
  generation: number
  keyId?: string | undefined
  rotation?: string | undefined
}

/** A new value on its way. */
export interface PendingValue extends ProviderKey {
  /** The rotation it is for; {@link SUPPLIED}: an operator has put it, for the next one. */
  rotation: string
}

/** Stands in place of a rotation's id for what an operator has supplied. No id of a rotation is this. */
export const SUPPLIED = 'supplied'

const Live = z.looseObject({
  value: z.string(),
  'key-id': z.string().optional(),
  rotation: z.string().optional(),
})
const Pending = z.strictObject({ rotation: z.string(), id: z.string(), value: z.string() })

/**
 * Records, live and pending values of a cluster's secrets in Vault's KV. All methods throw VaultError.
 * K1: what replaces something names the version that it replaces.
 * K2: a write whose fate is unknown is not repeated: whoever reads next sees what became of it.
 */
export class RotationStore {
  readonly #vault: StoreVault
  readonly #names: VaultNames
  readonly #use: UseToken

  constructor({ vault, names, use }: { vault: StoreVault; names: VaultNames; use: UseToken }) {
    this.#vault = vault
    this.#names = names
    this.#use = use
  }

  /** @throws RecordMalformedError */
  async load(secret: string): Promise<Held> {
    const entry = await this.#read(this.#names.rotation(secret))
    if (!entry) return { record: newRecord(secret), version: 0 }
    const parsed = RotationRecord.safeParse(entry.data)
    if (parsed.success) return { record: parsed.data, version: entry.version }
    throw new RecordMalformedError(secret, parsed.error.issues[0]!.path.join('.'))
  }

  /** Writes a record in place of the one that was loaded, and gives its version. @throws FencedError when that has changed */
  save(record: RotationRecord, version: number): Promise<number> {
    return this.#replace(record.secret, this.#names.rotation(record.secret), { data: record, cas: version })
  }

  /** The value that is live, or that was at `generation`; undefined where there is none. */
  async live(secret: string, generation?: number): Promise<LiveValue | undefined> {
    const entry = await this.#read(this.#names.secret(secret), generation)
    const parsed = Live.safeParse(entry?.data)
    if (!entry || !parsed.success) return undefined
    const { value, 'key-id': keyId, rotation } = parsed.data
    return { value, generation: entry.version, keyId, rotation }
  }

  /** Makes a value live in place of `cas`, and gives its generation. @throws FencedError when another is live by now */
  promote(secret: string, { rotation, id, value }: PendingValue, cas: number): Promise<number> {
    return this.#replace(secret, this.#names.secret(secret), {
      data: { value, 'key-id': id, rotation },
      cas,
    })
  }

  async pending(secret: string): Promise<PendingValue | undefined> {
    return Pending.safeParse((await this.#read(this.#names.pending(secret)))?.data).data
  }

  async putPending(secret: string, pending: PendingValue): Promise<void> {
    await this.#use((token) => this.#vault.kvWrite(token, this.#names.pending(secret), { ...pending }))
  }

  /** Removes the pending value with all its versions: it is live, or was ended. */
  clearPending(secret: string): Promise<void> {
    const path = this.#names.pendingMetadata(secret)
    return this.#use((token) => this.#vault.inventory.remove(token, path))
  }

  async #read(path: VaultPath, version?: number) {
    return this.#use((token) => this.#vault.kvRead(token, path, version)).catch((error: unknown) => {
      if (isVaultError(error, 'notFound')) return undefined
      throw error
    })
  }

  async #replace(
    secret: string,
    path: VaultPath,
    { data, cas }: { data: object; cas: number },
  ): Promise<number> {
    return this.#use((token) => this.#vault.kvWrite(token, path, data, cas)).catch((error: unknown) => {
      throw isVaultError(error, 'conflict') ? new FencedError(secret) : error
    })
  }
}
