import { type Clock, slept } from '#lib/runtime'
import { isVaultError, type VaultError } from './errors.ts'

const TRIES = 3
const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 2000

/** How often and how long a call may be repeated. */
export interface RetryOptions {
  /** False: one try, unless Vault says that it did nothing (what is not idempotent must not happen twice). */
  idempotent: boolean
  clock: Clock
  /** From 0 to 1. */
  random: () => number
  /** No try begins after it; a pause that it cuts ends with the last error. */
  signal: AbortSignal
}

/** Runs `attempt` up to three times with full jitter (AWS, "Exponential backoff and jitter") between 0 and 2 s. */
export async function retrying<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (tries === TRIES || !isVaultError(error) || !mayRepeat(options, error)) throw error
      if (!(await pause(options, tries, error))) throw error
    }
  }
}

function mayRepeat({ idempotent }: RetryOptions, error: VaultError): boolean {
  return error.retryable && !error.unasked && (idempotent || error.untouched)
}

async function pause(options: RetryOptions, tries: number, error: VaultError): Promise<boolean> {
  const ceilingMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (tries - 1))
  const delayMs = Math.max(options.random() * ceilingMs, Math.min(error.retryAfterMs ?? 0, MAX_DELAY_MS))
  return slept(options.clock, delayMs, options.signal)
}
