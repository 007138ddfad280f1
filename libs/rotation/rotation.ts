import { randomUUID } from 'node:crypto'
import { type Clock, type Log, messageOf, silentLog, systemClock } from '#lib/runtime'
import { isVaultError } from '#lib/vault'
import { announce, finish, leaveGrace, revoke } from './ending.ts'
import { FencedError, KeyAwaitedError } from './errors.ts'
import { begin, cleanUp, create, isLive, plan, promote, verify } from './making.ts'
import { isPromoted, nextStep, type StepName } from './next-step.ts'
import { HISTORY_KEPT, maskKeyId, type RotationRecord, type RotationState } from './record.ts'
import { parseSchedule } from './schedule.ts'
import type { Held, RotationStore } from './store.ts'
import { type Change, type Limits, LIMITS, type ManagedSecret, type Raise, type Work } from './work.ts'

/** What a rotation of one secret needs. */
export interface RotationOptions {
  secret: ManagedSecret
  store: RotationStore
  /** Tells the sidecars of a new generation. May fail. */
  announce: (generation: number) => Promise<void>
  raise: Raise
  /** The rotator's name, for people. */
  instance: string
  log?: Log | undefined
  clock?: Clock | undefined
  random?: (() => number) | undefined
  limits?: Partial<Limits> | undefined
}

/** Where a secret is, and when to look again. */
export interface Tended {
  state: RotationState
  until: number
}

const STEPS: Record<StepName, (work: Work) => Change | Promise<Change>> = {
  plan,
  begin,
  create,
  verify,
  promote,
  announce,
  'leave-grace': leaveGrace,
  revoke,
  finish,
  'clean-up': cleanUp,
}
const OVERDUE = 1.5
/** An operator has to act first. */
const AWAITED_MS = 86_400_000
const MERGES = 5

/**
 * The rotation of one secret, from record to record.
 * M1: a step is decided by the record alone, and done by the one who has written its name into it since reading it.
 * M2: what a step does at the provider is on record before (as intent) and after; between the two it can be repeated.
 * M3: before the new value is live, a failure takes back what was made; after, it is gone forward from until it succeeds.
 * M4: a Vault that does not answer is no failure: nothing can be put on record, and nothing was.
 */
export class Rotation {
  readonly #options: RotationOptions & { log: Log; clock: Clock; random: () => number; limits: Limits }

  constructor(options: RotationOptions) {
    this.#options = {
      ...options,
      log: options.log ?? silentLog,
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
      limits: { ...LIMITS, ...options.limits },
    }
  }

  /** Whether anything is due, from the record alone: nothing is written. @throws VaultError, RecordMalformedError */
  async look(): Promise<Tended & { isDue: boolean }> {
    const { record } = await this.#options.store.load(this.#options.secret.name)
    const next = this.#next(record)
    const until = 'waitUntil' in next ? next.waitUntil : this.#options.clock.now()
    return { state: record.state, until, isDue: !('waitUntil' in next) || this.#isOverdue(record) }
  }

  /**
   * Takes every step that is due. Says when the next one is.
   * @throws FencedError when another took over; VaultError; RecordMalformedError; the signal's reason
   */
  async tend(signal: AbortSignal): Promise<Tended> {
    const { secret, store } = this.#options
    const holder = `${this.#options.instance}#${randomUUID()}`
    let held = await this.#watchAge(await store.load(secret.name))
    for (;;) {
      const next = this.#next(held.record)
      if ('waitUntil' in next) return { state: held.record.state, until: next.waitUntil }
      signal.throwIfAborted()
      if (held.record.holder !== holder) held = await this.#save(held, { holder }, holder)
      held = await this.#save(held, await this.#take(next.step, held, signal), holder)
    }
  }

  #next(record: RotationRecord) {
    const { secret, clock } = this.#options
    const every = this.#every(record)
    return nextStep(record, { now: clock.now(), every, window: secret.window })
  }

  /** The schedule in force. */
  #every({ schedule }: RotationRecord): string {
    return schedule?.every ?? this.#options.secret.every
  }

  async #take(step: StepName, { record }: Held, signal: AbortSignal): Promise<Change> {
    const work: Work = { ...this.#options, record, signal }
    try {
      return await STEPS[step](work)
    } catch (error) {
      const isAway = isVaultError(error) && error.retryable
      if (error instanceof FencedError || isAway || signal.aborted) throw error
      return this.#failed(work, step, error)
    }
  }

  /** What is on record of a failure, after taking back what can be. */
  async #failed(work: Work, step: StepName, error: unknown): Promise<Change> {
    const { record, secret, clock, limits, random, raise, log } = work
    const from = record.state === 'failed' ? (record.failure?.from ?? 'failed') : record.state
    const count = (record.failure?.count ?? 0) + 1
    const isAwaited = error instanceof KeyAwaitedError
    const backoffMs = Math.min(limits.backoffMs * 2 ** (count - 1), limits.maxBackoffMs) * (1 + random() / 10)
    const reason = messageOf(error).slice(0, 500)
    log.warn({ secret: secret.name, step, reason, count }, 'rotation failed')
    const taken = await this.#takenBack(work, from)
    const severity = count < 3 || isAwaited ? 'warning' : 'critical'
    const labels = { secret: secret.name, step, reason, failures: String(count) }
    await raise(isAwaited ? 'rotation-awaits-key' : 'rotation-failed', severity, labels)
    const retryAt = Math.round(clock.now() + (isAwaited ? AWAITED_MS : backoffMs))
    return {
      state: 'failed',
      ...taken,
      failure: { at: clock.now(), from, reason, count, retryAt },
      note: reason,
    }
  }

  async #takenBack(work: Work, from: RotationState): Promise<Change> {
    if (!work.record.rotation || isPromoted(from)) return {}
    try {
      return (await isLive(work)) ? { state: 'verified' } : await cleanUp(work)
    } catch (error) {
      work.log.warn({ secret: work.secret.name, error: messageOf(error) }, 'clean-up to be repeated')
      return {}
    }
  }

  /** Writes a change. Where an operator has written in between, their wish is kept; where another rotator has, it goes on. */
  async #save({ record, version }: Held, { note, key, ...change }: Change, holder: string): Promise<Held> {
    const { store, secret, log } = this.#options
    let base = { record, version }
    for (let merges = 0; ; merges++) {
      const next = this.#withHistory({ ...base.record, ...change }, base.record, { note, key })
      try {
        const version = await store.save(next, base.version)
        const { state, rotation } = next
        if (state !== record.state)
          log.info({ secret: secret.name, state, rotation: rotation?.id }, 'rotation advanced')
        return { record: next, version }
      } catch (error) {
        if (!(error instanceof FencedError) || merges === MERGES) throw error
        const found = await store.load(secret.name)
        if (found.record.holder !== holder) throw error
        const { requested, schedule } = found.record
        base = { record: { ...record, requested, schedule }, version: found.version }
      }
    }
  }

  #withHistory(
    next: RotationRecord,
    before: RotationRecord,
    { note, key }: { note: string | undefined; key: string | null | undefined },
  ): RotationRecord {
    if (next.state === before.state && note === undefined) return next
    const rotation = next.rotation ?? before.rotation
    const entry = {
      at: this.#options.clock.now(),
      rotation: rotation?.id ?? '',
      state: next.state,
      who: rotation?.by ?? 'schedule',
      generation: rotation?.generation ?? rotation?.old?.generation ?? null,
      key: maskKeyId(key),
      ...(note === undefined ? {} : { note }),
    }
    return { ...next, history: [...next.history, entry].slice(-HISTORY_KEPT) }
  }

  /** Tells once a period that a value is too old. */
  async #watchAge(held: Held): Promise<Held> {
    const { secret, store, clock, raise } = this.#options
    const { record } = held
    if (!this.#isOverdue(record)) return held
    const now = clock.now()
    const days = ((now - ageFrom(record)!) / 86_400_000).toFixed(1)
    await raise('rotation-overdue', 'critical', { secret: secret.name, 'age-days': days })
    const next = { ...record, overdueAlertAt: now }
    return { record: next, version: await store.save(next, held.version) }
  }

  #isOverdue(record: RotationRecord): boolean {
    const since = ageFrom(record)
    if (since === null) return false
    const now = this.#options.clock.now()
    const periodMs = parseSchedule(this.#every(record)).periodMs(since)
    const isTold = record.overdueAlertAt !== null && now - record.overdueAlertAt < periodMs
    return now - since > OVERDUE * periodMs && !isTold
  }
}

/** Since when a secret's age counts; null: not yet. */
const ageFrom = ({ rotatedAt, trackedFrom }: RotationRecord) => rotatedAt ?? trackedFrom
