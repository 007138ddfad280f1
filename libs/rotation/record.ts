import * as z from 'zod'

/** Entries of a record's history, and ids of rotations; the oldest go first. */
export const HISTORY_KEPT = 60
export const INTENTS_KEPT = 20

/** Where a secret is in its rotation. `failed`: see {@link RotationRecord}.failure for why, and what is tried when. */
export const RotationState = z.enum([
  'idle',
  'creating', // the intent is on record, the provider may or may not have made a key
  'created', // the new value lies under its pending path
  'verified', // the provider accepts the new key
  'promoted', // the new value is live
  'grace', // both keys are valid
  'disabled', // the old key is off and can be turned on again
  'revoked', // the old key is gone: from here on only forward
  'failed',
])
export type RotationState = z.infer<typeof RotationState>

const Time = z.int().nonnegative()
/** Who asked: `schedule`, `retry`, or an operator's name. */
const Who = z.string().min(1).max(100)

/** One step of the past, as operators see it. */
export const HistoryEntry = z.strictObject({
  at: Time,
  /** The rotation's id. */
  rotation: z.string(),
  state: RotationState,
  who: Who,
  /** The KV version that was live after the step; null while there was none. */
  generation: z.int().positive().nullable(),
  /** The key that the step was about, masked; null where none is known. */
  key: z.string().nullable(),
  /** Why, where there is more to say. */
  note: z.string().max(1000).exactOptional(),
})
export type HistoryEntry = z.infer<typeof HistoryEntry>

/** A rotation that an operator has asked for and that has not begun. */
export const RotationRequest = z.strictObject({
  at: Time,
  by: Who,
  /** Ends the old key as soon as the new one is live: running attempts that hold it may fail. */
  revokeOld: z.boolean(),
})
export type RotationRequest = z.infer<typeof RotationRequest>

/** The rotation under way. */
export const CurrentRotation = z.strictObject({
  /** In the name of the provider's key: what was made for it can be told from all else. */
  id: z.string(),
  by: Who,
  startedAt: Time,
  revokeOld: z.boolean(),
  /** What was live before; null when there was nothing. `keyId`: null where the provider could not tell whose value it is. */
  old: z.strictObject({ generation: z.int().positive(), keyId: z.string().nullable() }).nullable(),
  /** The key that the provider made. */
  keyId: z.string().exactOptional(),
  /** The KV version with the new value. */
  generation: z.int().positive().exactOptional(),
  promotedAt: Time.exactOptional(),
  /** Until when both keys are valid. */
  graceUntil: Time.exactOptional(),
  /** True once grace was extended because the old key was still used. */
  extended: z.boolean().exactOptional(),
  /** Until when the old key is only off. */
  disabledUntil: Time.exactOptional(),
})
export type CurrentRotation = z.infer<typeof CurrentRotation>

/** Why a step did not succeed. With a rotation beside it, that one is resumed from `from` (or rolled back, before it was promoted). */
export const RotationFailure = z.strictObject({
  at: Time,
  from: RotationState,
  reason: z.string().max(1000),
  /** Failures one after the other. */
  count: z.int().positive(),
  retryAt: Time,
})
export type RotationFailure = z.infer<typeof RotationFailure>

/** All that is known of a secret's rotation, as it lies in Vault's KV beside the secret. Never a value. */
export const RotationRecord = z.strictObject({
  version: z.literal(1),
  secret: z.string(),
  state: RotationState,
  /** Which rotator acts: each takes the record over by writing its own name here, which fences all before it. */
  holder: z.string().nullable(),
  rotation: CurrentRotation.nullable(),
  failure: RotationFailure.nullable(),
  requested: RotationRequest.nullable(),
  /** In place of the cluster file's `rotate.every`; null: that one holds. */
  schedule: z.strictObject({ every: z.string().max(200), by: Who, at: Time }).nullable(),
  /** When a new value was promoted last. */
  rotatedAt: Time.nullable(),
  /** From when on the secret's age counts where it was never rotated; null: it was not looked at yet. */
  trackedFrom: Time.nullable(),
  /** When the next rotation is due, and by which schedule; null: it was not planned yet. */
  next: z.strictObject({ at: Time, every: z.string() }).nullable(),
  /** When it was last said that the value is too old, so that it is said once a period. */
  overdueAlertAt: Time.nullable(),
  /**
   * Ids of the latest rotations, this one included: a key whose name carries one is of our making. A call that hung may
   * make its key long after it was given up, so an id stays here for some rotations more.
   */
  intents: z.array(z.string()),
  history: z.array(HistoryEntry),
})
export type RotationRecord = z.infer<typeof RotationRecord>

/** The record of a secret that was never rotated. */
export function newRecord(secret: string): RotationRecord {
  return {
    version: 1,
    secret,
    state: 'idle',
    holder: null,
    rotation: null,
    failure: null,
    requested: null,
    schedule: null,
    rotatedAt: null,
    trackedFrom: null,
    next: null,
    overdueAlertAt: null,
    intents: [],
    history: [],
  }
}

/** A key's id for people: enough to find it at the provider, too little to be one. */
export function maskKeyId(id: string | null | undefined): string | null {
  if (id === null || id === undefined) return null
  return id.length <= 8 ? `${id.slice(0, 2)}***` : `${id.slice(0, 4)}***${id.slice(-4)}`
}
