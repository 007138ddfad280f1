/** A key that a provider made. */
export interface ProviderKey {
  /** Names it to the provider, and is no secret. */
  id: string
  value: string
}

/** What a provider is asked to make. */
export interface CreateRequest {
  /** The key's name at the provider: `tb/<cluster>/<environment>/<secret>/<rotation id>`. */
  name: string
  /** The key that is live now: for a provider that alternates between two. */
  oldKeyId: string | null
  /** What an operator supplied for this rotation; undefined: nothing. */
  supplied: ProviderKey | undefined
  /** Aborts at the deadline; what the provider made by then is found by its name. */
  signal: AbortSignal
}

/** A key as a provider lists it. */
export interface ListedKey {
  id: string
  /** As {@link CreateRequest} named it. */
  name: string
}

/** When a key was used last, and by whom where the provider knows. */
export interface LastUse {
  /** Epoch milliseconds; null: never. */
  at: number | null
  by?: string
}

/**
 * Where keys come from. Every call ends when its signal aborts, and may be repeated: what is done already is no error.
 * Errors hold no value. @throws KeyRefusedError from `verify` alone, when the provider says that the key is not valid
 */
export interface RotationProvider {
  /** The provider and the account at it: one rotation is in flight per account. */
  readonly account: string
  /** False: its keys have no life of their own that could be ended, or that could be asked for. */
  readonly endsKeys: boolean
  /** True: it makes no keys by itself, an operator supplies each. */
  readonly awaitsKeys?: boolean
  /** Makes a key. Not idempotent: called once per intent on record. @throws KeyAwaitedError when an operator has to supply it */
  create(request: CreateRequest): Promise<ProviderKey>
  /** The cheapest authenticated call. */
  verify(key: ProviderKey, signal: AbortSignal): Promise<void>
  lastUsed?(id: string, signal: AbortSignal): Promise<LastUse>
  /** Turns a key off, so that it can be turned on again. */
  disable?(id: string, signal: AbortSignal): Promise<void>
  enable?(id: string, signal: AbortSignal): Promise<void>
  /** Ends a key for good. */
  revoke(id: string, signal: AbortSignal): Promise<void>
  /** All keys whose name begins so, whatever their state: the caller knows which are none of its own. */
  findOrphans(namePrefix: string, signal: AbortSignal): Promise<ListedKey[]>
  /** Whose id a value is; undefined when the provider cannot tell. */
  identify?(value: string, signal: AbortSignal): Promise<string | undefined>
}
