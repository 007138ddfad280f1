import { SecretDeniedError, SecretMalformedError, SecretNotFoundError, SecretRevokedError } from './errors.ts'
import { SecretValue } from './secret-value.ts'

/** A value that is used when so much of its freshness is over is read again, and nobody waits for it. */
const AHEAD = 0.8
/** So much of it may be cut off, so that what was read together is not read again together. */
const JITTER = 0.2
const DENIED_MS = 5000
const NOT_FOUND_MS = 10_000

/** How long a value is kept. All milliseconds. */
export interface KeepTimes {
  /** Before Vault is asked again, at most. */
  freshMs: number
  /** After that, while Vault does not answer; 0 for not at all. */
  staleMs: number
}

/** What holds where nothing else is said. */
export const KEEP_TIMES: KeepTimes = { freshMs: 300_000, staleMs: 900_000 }

/** What Vault said last of a secret, and until when that counts. */
export type CachedSecret = Until & ({ value: SecretValue; requestId: string | undefined } | { error: Error })

interface Until {
  /** From when on it is read again beside those who use it. */
  refreshAt: number
  freshUntil: number
  staleUntil: number
}

/** What is kept of a secret for an agent type. */
export interface CacheState {
  agentType: string
  /** `value`, or why there is none. */
  state: 'value' | 'denied' | 'not-found' | 'revoked' | 'unusable'
  /** The KV version of the value. */
  generation?: number
  /** How long it is served without asking Vault; 0 or less when the next read asks. */
  freshForMs: number
}

/** How a value was asked for. */
interface Asked {
  /** Of Vault's answer. */
  requestId: string | undefined
  /** Epoch milliseconds. */
  askedAt: number
  times: KeepTimes
  /** From 0 for the shortest freshness to 1 for the longest. */
  random: number
}

/** A value that was asked for at a time. */
export function cachedValue(value: SecretValue, { requestId, askedAt, times, random }: Asked): CachedSecret {
  const freshMs = times.freshMs * (1 - JITTER + JITTER * random)
  const freshUntil = askedAt + freshMs
  const staleUntil = freshUntil + times.staleMs
  return { value, requestId, refreshAt: askedAt + freshMs * AHEAD, freshUntil, staleUntil }
}

/** That there is no value, and why: remembered for some seconds, so that asking again and again costs nothing. */
export function cachedRefusal(error: Error, now: number): CachedSecret {
  const forMs = error instanceof SecretDeniedError ? DENIED_MS : NOT_FOUND_MS
  return { error, refreshAt: Infinity, freshUntil: now + forMs, staleUntil: 0 }
}

/** What operators may see of it. */
export function stateOf(entry: CachedSecret): Pick<CacheState, 'state' | 'generation'> {
  if ('value' in entry) return { state: 'value', generation: entry.value.generation }
  if (entry.error instanceof SecretDeniedError) return { state: 'denied' }
  if (entry.error instanceof SecretRevokedError) return { state: 'revoked' }
  return { state: entry.error instanceof SecretNotFoundError ? 'not-found' : 'unusable' }
}

/** The value in an entry of Vault's KV. @throws SecretMalformedError */
export function valueOf(secret: string, data: Record<string, unknown>, generation: number): SecretValue {
  const value = data['value']
  if (typeof value !== 'string' || value === '') throw new SecretMalformedError(secret)
  return new SecretValue(secret, value, generation)
}
