import type { Span } from '@opentelemetry/api'
import { type Clock, type Log, silentLog, steadyClock } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import { isMarkedRevoked, isVaultError, type VaultClient, type VaultNames } from '#lib/vault'
import {
  cachedRefusal,
  type CachedSecret,
  cachedValue,
  type CacheState,
  KEEP_TIMES,
  type KeepTimes,
  stateOf,
  valueOf,
} from './cached-secret.ts'
import {
  SecretDeniedError,
  SecretMalformedError,
  SecretNotFoundError,
  SecretRevokedError,
  SecretUnavailableError,
} from './errors.ts'
import { Generations } from './generations.ts'
import type { SidecarIdentity } from './identity.ts'
import { isOf, keyOf, SecretCache } from './secret-cache.ts'
import type { SecretValue } from './secret-value.ts'
import { TypeTokens } from './type-tokens.ts'
import { inVaultSpan } from './vault-span.ts'

/** From one read ahead that failed to the next. */
const AHEAD_PAUSE_MS = 10_000
/** How long a value is used that is older than what is known to be live: until another of Vault's nodes has it too. */
const BEHIND_MS = 1000

/** What a reader needs. */
export interface ReaderOptions {
  identity: SidecarIdentity
  vault: Pick<VaultClient, 'kvRead'>
  names: VaultNames
  log?: Log | undefined
  clock?: Clock | undefined
  random?: (() => number) | undefined
  /** How long values of a secret are kept. Default: fresh for 5 min, and 15 min more while Vault does not answer. */
  keepTimes?: ((secret: string) => KeepTimes) | undefined
}

/** A static secret as read. Valid until the reader is disposed. */
export interface SecretRead {
  value: SecretValue
  /** The KV version. */
  generation: number
  /** True when Vault could not be asked and this is what it said last. */
  stale: boolean
  /** Of Vault's answer that held it, which may have been given to an earlier reader. */
  requestId: string | undefined
}

/**
 * Static secrets, read through a cache.
 * R1: a value is cached per (agent type, secret), read with a token of that type: Vault is the judge, never the cache.
 * R2: at most one read of a key is under way; the others wait for it.
 * R3: denied or gone purges the value at once, and is itself remembered for some seconds.
 * R4: a value in use is read anew before it is old, beside those who use it.
 * R5: while Vault does not answer, the last value is served up to its `staleMs`, said so; then it fails.
 * R6: what was asked before a secret was forgotten is not kept.
 * R7: once a newer generation is known, from a message or from any read, no older value counts as fresh.
 * R8: a generation that was revoked, here or by a note in Vault, is given to nobody.
 */
export class SecretReader implements AsyncDisposable {
  readonly #options: ReaderOptions
  readonly #clock: Clock
  readonly #log: Log
  readonly #tokens: TypeTokens
  readonly #cache = new SecretCache()
  readonly #generations: Generations
  readonly #loading = new Map<string, Promise<CachedSecret>>()

  private constructor(options: ReaderOptions) {
    this.#options = options
    this.#clock = options.clock ?? steadyClock
    this.#log = options.log ?? silentLog
    this.#tokens = new TypeTokens(options.identity, this.#clock)
    this.#generations = new Generations(this.#clock)
  }

  /** Reads nothing yet. */
  static async open(options: ReaderOptions): Promise<SecretReader> {
    return new SecretReader(options)
  }

  /**
   * The secret, as the agent type may read it. The caller checks that the cluster file lists it; Vault checks too.
   * @throws SecretDeniedError, SecretNotFoundError, SecretRevokedError, SecretMalformedError, SecretUnavailableError, IdentityLostError
   */
  read(agentType: string, secret: string): Promise<SecretRead> {
    const attributes = { [attribute.secretName]: secret, [attribute.agentType]: agentType }
    return inVaultSpan(`secret.read ${secret}`, attributes, (span) => this.#read(agentType, secret, span))
  }

  /** The value that was read last, if it is still kept. Asks nobody: to search for it, not to give it. */
  kept(agentType: string, secret: string): SecretValue | undefined {
    const entry = this.#cache.get(agentType, secret)
    return entry && 'value' in entry ? entry.value : undefined
  }

  /**
   * The service that it is for has refused this generation. Gives a newer one if there is one: one of all who ask reads,
   * the others wait for what it finds. A service that refuses everything does not make a storm of reads: then nobody asks
   * for a second, then for twice as long.
   */
  async newer(agentType: string, secret: string, generation: number): Promise<SecretRead | undefined> {
    const loads = [...this.#loading].flatMap(([key, load]) => (isOf(key, secret) ? [load] : []))
    // Without one nobody may pass between the look and the read that follows from it: no await then.
    if (loads.length > 0) await Promise.allSettled(loads)
    const entry = this.#cache.get(agentType, secret)
    const isOld = entry && 'value' in entry && entry.value.generation <= generation
    if (isOld && !this.#generations.refused(secret, generation)) return undefined
    if (isOld) entry.freshUntil = 0
    const read = await this.read(agentType, secret)
    return read.generation > generation ? read : undefined
  }

  /** A generation is said to be live: what is older is read anew at once. A wrong word costs a read a second for a while. */
  promoted(secret: string, generation: number): void {
    for (const { entry } of this.#cache.list({ secret })) if ('error' in entry) entry.freshUntil = 0
    for (const agentType of this.#outdate(secret, generation))
      this.#loadOnce(agentType, secret).catch(() => {})
  }

  /** Words of what is live may have been missed: every value is read anew by the next who uses it. */
  doubt(): void {
    for (const { entry } of this.#cache.list()) entry.freshUntil = 0
  }

  /** The newest generation that is kept for any agent type; 0 when there is none. */
  newest(secret: string): number {
    const kept = this.#cache.list({ secret })
    return Math.max(0, ...kept.map(({ entry }) => ('value' in entry ? entry.value.generation : 0)))
  }

  /**
   * Gives nobody a generation up to this one any more, and wipes what is kept. Whoever reads gets a SecretRevokedError
   * until there is a newer one.
   */
  revoke(secret: string, generation: number): void {
    const kept = this.#cache.drop({ secret })
    this.#generations.revoke(secret, generation)
    this.forget(secret)
    for (const value of kept) value.wipe()
  }

  /** Ends the agent type's token and wipes all that was read with it: the next read begins anew. */
  endType(agentType: string): void {
    this.#tokens.end(agentType)
    for (const value of this.#cache.drop({ agentType })) value.wipe()
  }

  /** Forgets a secret for every agent type, its absence and refusals too: the next read asks Vault. */
  forget(secret: string): void {
    this.#cache.drop({ secret })
    for (const key of this.#loading.keys()) if (isOf(key, secret)) this.#loading.delete(key)
    this.#generations.forget(secret)
  }

  /** What is kept of a secret: for operators, never a value. */
  cached(secret: string): CacheState[] {
    const now = this.#clock.now()
    return this.#cache
      .list({ secret })
      .map(({ agentType, entry }) => ({ agentType, ...stateOf(entry), freshForMs: entry.freshUntil - now }))
  }

  /** Wipes every value and ends the tokens. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#loading.values())
    await this.#tokens[Symbol.asyncDispose]()
    for (const value of this.#cache.drop({})) value.wipe()
  }

  async #read(agentType: string, secret: string, span: Span): Promise<SecretRead> {
    const cached = this.#cache.get(agentType, secret)
    const hit = cached !== undefined && this.#clock.now() < cached.freshUntil
    if (hit) this.#refreshAhead(cached, agentType, secret)
    const entry = hit ? cached : await this.#loadOnce(agentType, secret)
    const stale = this.#clock.now() >= entry.freshUntil
    span.setAttributes({ [attribute.secretCached]: hit || stale, [attribute.secretStale]: stale })
    if ('error' in entry) throw entry.error
    span.setAttribute(attribute.secretGeneration, entry.value.generation)
    const { value, requestId } = entry
    return { value, generation: value.generation, stale, requestId }
  }

  #refreshAhead(entry: CachedSecret, agentType: string, secret: string): void {
    if (this.#clock.now() < entry.refreshAt) return
    entry.refreshAt = this.#clock.now() + AHEAD_PAUSE_MS
    this.#loadOnce(agentType, secret).catch(() => {})
  }

  #loadOnce(agentType: string, secret: string): Promise<CachedSecret> {
    const key = keyOf(agentType, secret)
    const running = this.#loading.get(key)
    if (running) return running
    const isWanted = () => this.#loading.get(key) === loading
    const loading: Promise<CachedSecret> = this.#load(agentType, secret)
      .then((entry) => (isWanted() ? this.#cache.keep(agentType, secret, entry) : entry))
      .finally(() => isWanted() && this.#loading.delete(key))
    this.#loading.set(key, loading)
    return loading
  }

  async #load(agentType: string, secret: string): Promise<CachedSecret> {
    const askedAt = this.#clock.now()
    const { keepTimes = () => KEEP_TIMES, random = Math.random } = this.#options
    try {
      const path = this.#options.names.secret(secret)
      const read = (token: string) => this.#options.vault.kvRead(token, path)
      const found = await this.#tokens.use(agentType, read)
      const { data, version, requestId } = found
      if (isMarkedRevoked(found)) this.#generations.revoke(secret, version)
      if (this.#generations.isRevoked(secret, version)) throw new SecretRevokedError(secret)
      const value = valueOf(secret, data, version)
      const entry = cachedValue(value, { requestId, askedAt, times: keepTimes(secret), random: random() })
      if (this.#generations.isBehind(secret, version)) entry.freshUntil = this.#clock.now() + BEHIND_MS
      this.#outdate(secret, version)
      return entry
    } catch (error) {
      return this.#loadFailed(agentType, secret, error)
    }
  }

  /** Notes that a generation is live. Gives the agent types that have an older one, which is fresh no more. */
  #outdate(secret: string, generation: number): string[] {
    if (!this.#generations.seen(secret, generation)) return []
    return this.#cache.list({ secret }).flatMap(({ agentType, entry }) => {
      if (!('value' in entry) || entry.value.generation >= generation) return []
      entry.freshUntil = 0
      return [agentType]
    })
  }

  #loadFailed(agentType: string, secret: string, error: unknown): CachedSecret {
    const now = this.#clock.now()
    if (isVaultError(error, 'denied')) return cachedRefusal(new SecretDeniedError(agentType, secret), now)
    if (isVaultError(error, 'notFound')) return cachedRefusal(new SecretNotFoundError(secret), now)
    if (error instanceof SecretMalformedError || error instanceof SecretRevokedError)
      return cachedRefusal(error, now)
    const last = this.#cache.get(agentType, secret)
    if (!isVaultError(error) || !error.retryable) throw error
    if (!last || !('value' in last) || now >= last.staleUntil)
      throw new SecretUnavailableError(secret, { cause: error })
    this.#log.warn({ secret, agentType, kind: error.kind }, 'Vault does not answer; serving the last value')
    return last
  }
}
