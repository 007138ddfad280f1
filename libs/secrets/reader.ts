import type { Span } from '@opentelemetry/api'
import { type Clock, type Log, silentLog, systemClock } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import { isVaultError, type KvEntry, type VaultClient, type VaultNames } from '#lib/vault'
import {
  SecretDeniedError,
  SecretMalformedError,
  SecretNotFoundError,
  SecretUnavailableError,
} from './errors.ts'
import type { SidecarIdentity } from './identity.ts'
import { SecretValue } from './secret-value.ts'
import { TypeTokens } from './type-tokens.ts'
import { inVaultSpan } from './vault-span.ts'

const FRESH_MS = 300_000
/** A value that is used when so much of its freshness is over is read again, and nobody waits for it. */
const AHEAD = 0.8
/** From one such read that failed to the next. */
const AHEAD_PAUSE_MS = 10_000
const DENIED_MS = 5000
const NOT_FOUND_MS = 10_000
const FIRST_REFUSAL_PAUSE_MS = 1000
const MAX_ENTRIES = 4096

/** What a reader needs. */
export interface ReaderOptions {
  identity: SidecarIdentity
  vault: Pick<VaultClient, 'kvRead'>
  names: VaultNames
  log?: Log | undefined
  clock?: Clock | undefined
  random?: (() => number) | undefined
  /** How long past its freshness a value is served while Vault does not answer. Default 15 min, 0 for never. */
  staleMs?: number | undefined
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

/** What is kept of a secret for an agent type. */
export interface CacheState {
  agentType: string
  /** `value`, or why there is none. */
  state: 'value' | 'denied' | 'not-found' | 'unusable'
  /** The KV version of the value. */
  generation?: number
  /** How long it is served without asking Vault; 0 or less when the next read asks. */
  freshForMs: number
}

type Entry = { refreshAt: number; freshUntil: number; staleUntil: number } & (
  | { value: SecretValue; requestId: string | undefined }
  | { error: Error }
)

/**
 * Static secrets, read through a cache.
 * R1: a value is cached per (agent type, secret), read with a token of that type: Vault is the judge, never the cache.
 * R2: at most one read of a key is under way; the others wait for it.
 * R3: denied or gone purges the value at once, and is itself remembered for some seconds.
 * R4: a value in use is read anew before it is old, beside those who use it.
 * R5: while Vault does not answer, the last value is served up to `staleMs`, said so; then it fails.
 * R6: what was asked before a secret was forgotten is not kept.
 */
export class SecretReader implements AsyncDisposable {
  readonly #options: ReaderOptions
  readonly #clock: Clock
  readonly #log: Log
  readonly #tokens: TypeTokens
  readonly #entries = new Map<string, Entry>()
  readonly #refused = new Map<string, { generation: number; pauseMs: number; until: number }>()
  readonly #loading = new Map<string, Promise<Entry>>()

  private constructor(options: ReaderOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#log = options.log ?? silentLog
    this.#tokens = new TypeTokens(options.identity, this.#clock)
  }

  /** Reads nothing yet. */
  static async open(options: ReaderOptions): Promise<SecretReader> {
    return new SecretReader(options)
  }

  /**
   * The secret, as the agent type may read it. The caller checks that the cluster file lists it; Vault checks too.
   * @throws SecretDeniedError, SecretNotFoundError, SecretMalformedError, SecretUnavailableError, IdentityLostError
   */
  read(agentType: string, secret: string): Promise<SecretRead> {
    const attributes = { [attribute.secretName]: secret, [attribute.agentType]: agentType }
    return inVaultSpan(`secret.read ${secret}`, attributes, (span) => this.#read(agentType, secret, span))
  }

  /** The value that was read last, if it is still kept. Asks nobody: to search for it, not to give it. */
  kept(agentType: string, secret: string): SecretValue | undefined {
    const entry = this.#entries.get(keyOf(agentType, secret))
    return entry && 'value' in entry ? entry.value : undefined
  }

  /**
   * Forgets the value unless it is newer than `generation`: the service that it is for has refused it. A service that
   * refuses everything does not make a storm of reads: asking again for the same generation waits 1 s, then doubling.
   * True when the next read may give another value.
   */
  invalidate(agentType: string, secret: string, generation: number): boolean {
    const key = keyOf(agentType, secret)
    const entry = this.#entries.get(key)
    if (!entry || !('value' in entry) || entry.value.generation > generation) return true
    const before = this.#refused.get(key)
    const repeated = before?.generation === entry.value.generation
    if (repeated && this.#clock.now() < before.until) return false
    const pauseMs = repeated ? Math.min(before.pauseMs * 2, FRESH_MS) : FIRST_REFUSAL_PAUSE_MS
    const until = this.#clock.now() + pauseMs
    this.#refused.set(key, { generation: entry.value.generation, pauseMs, until })
    entry.freshUntil = 0
    return true
  }

  /** Forgets a secret for every agent type, its absence and refusals too: the next read asks Vault. */
  forget(secret: string): void {
    for (const known of [this.#entries, this.#loading, this.#refused])
      for (const key of known.keys()) if (key.endsWith(`/${secret}`)) known.delete(key)
  }

  /** What is kept of a secret: for operators, never a value. */
  cached(secret: string): CacheState[] {
    const now = this.#clock.now()
    return [...this.#entries].flatMap(([key, entry]) => {
      const [agentType, name] = key.split('/') as [string, string]
      return name === secret ? [{ agentType, ...stateOf(entry), freshForMs: entry.freshUntil - now }] : []
    })
  }

  /** Wipes every value and ends the tokens. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#loading.values())
    await this.#tokens[Symbol.asyncDispose]()
    for (const entry of this.#entries.values()) if ('value' in entry) entry.value.wipe()
    this.#entries.clear()
  }

  async #read(agentType: string, secret: string, span: Span): Promise<SecretRead> {
    const key = keyOf(agentType, secret)
    const cached = this.#entries.get(key)
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

  #refreshAhead(entry: Entry, agentType: string, secret: string): void {
    if (this.#clock.now() < entry.refreshAt) return
    entry.refreshAt = this.#clock.now() + AHEAD_PAUSE_MS
    this.#loadOnce(agentType, secret).catch(() => {})
  }

  #loadOnce(agentType: string, secret: string): Promise<Entry> {
    const key = keyOf(agentType, secret)
    const running = this.#loading.get(key)
    if (running) return running
    const isWanted = () => this.#loading.get(key) === loading
    const loading: Promise<Entry> = this.#load(agentType, secret)
      .then((entry) => (isWanted() ? this.#keep(key, entry) : entry))
      .finally(() => isWanted() && this.#loading.delete(key))
    this.#loading.set(key, loading)
    return loading
  }

  async #load(agentType: string, secret: string): Promise<Entry> {
    const askedAt = this.#clock.now()
    try {
      const { data, version, requestId } = await this.#ask(agentType, secret)
      return { ...this.#freshness(askedAt), value: valueOf(secret, data, version), requestId }
    } catch (error) {
      return this.#loadFailed(agentType, secret, error)
    }
  }

  /** One read; once more with a new token when the refusal was the token's end and not its policy. */
  async #ask(agentType: string, secret: string): Promise<KvEntry> {
    const path = this.#options.names.secret(secret)
    const child = await this.#tokens.of(agentType)
    try {
      return await this.#options.vault.kvRead(child.token.reveal(), path)
    } catch (error) {
      if (!isVaultError(error, 'denied') || !(await this.#tokens.forgetIfGone(child))) throw error
      const next = await this.#tokens.of(agentType)
      return this.#options.vault.kvRead(next.token.reveal(), path)
    }
  }

  #loadFailed(agentType: string, secret: string, error: unknown): Entry {
    const freshUntil = (forMs: number) => this.#clock.now() + forMs
    const refused = (error: Error, forMs: number) => ({
      error,
      refreshAt: Infinity,
      freshUntil: freshUntil(forMs),
      staleUntil: 0,
    })
    if (isVaultError(error, 'denied')) return refused(new SecretDeniedError(agentType, secret), DENIED_MS)
    if (isVaultError(error, 'notFound')) return refused(new SecretNotFoundError(secret), NOT_FOUND_MS)
    if (error instanceof SecretMalformedError) return refused(error, NOT_FOUND_MS)
    const last = this.#entries.get(keyOf(agentType, secret))
    if (!isVaultError(error) || !error.retryable) throw error
    if (!last || !('value' in last) || this.#clock.now() >= last.staleUntil)
      throw new SecretUnavailableError(secret, { cause: error })
    this.#log.warn({ secret, agentType, kind: error.kind }, 'Vault does not answer; serving the last value')
    return last
  }

  #freshness(askedAt: number): Pick<Entry, 'refreshAt' | 'freshUntil' | 'staleUntil'> {
    const { random = Math.random, staleMs = 900_000 } = this.#options
    const freshMs = FRESH_MS * (0.9 + random() / 5)
    const freshUntil = askedAt + freshMs
    return { refreshAt: askedAt + freshMs * AHEAD, freshUntil, staleUntil: freshUntil + staleMs }
  }

  #keep(key: string, entry: Entry): Entry {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!)
    return entry
  }
}

function stateOf(entry: Entry): Pick<CacheState, 'state' | 'generation'> {
  if ('value' in entry) return { state: 'value', generation: entry.value.generation }
  if (entry.error instanceof SecretDeniedError) return { state: 'denied' }
  return { state: entry.error instanceof SecretNotFoundError ? 'not-found' : 'unusable' }
}

const keyOf = (agentType: string, secret: string) => `${agentType}/${secret}`

function valueOf(secret: string, data: Record<string, unknown>, generation: number): SecretValue {
  const value = data['value']
  if (typeof value !== 'string' || value === '') throw new SecretMalformedError(secret)
  return new SecretValue(secret, value, generation)
}
