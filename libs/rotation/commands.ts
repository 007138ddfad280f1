import * as z from 'zod'
import { HistoryEntry, RotationState } from './record.ts'

const Secret = z.string().max(100)
const Operator = z.string().min(1).max(100)

/**
 * `POST /v1/rotations` on the rotator's operator socket: asks for a rotation now. It is on record when the answer comes,
 * and begins as soon as a rotator is free. `dryRun`: nothing is asked for, the answer says what would be done.
 */
export const RotateCommand = z.strictObject({
  secret: Secret,
  operator: Operator,
  revokeOld: z.boolean().default(false),
  dryRun: z.boolean().default(false),
})
export type RotateCommand = z.infer<typeof RotateCommand>

/** The answer. */
export const RotateAnswer = z.strictObject({
  /** False: it was a dry run, or `refused` says why not. */
  accepted: z.boolean(),
  refused: z.string().exactOptional(),
  /** What is done, in order, in words for people. */
  steps: z.array(z.string()),
  graceMs: z.int().nonnegative(),
})
export type RotateAnswer = z.infer<typeof RotateAnswer>

/** `PUT /v1/schedules`: a schedule in place of the cluster file's; null: the file's again. Lasts in Vault. Answers a {@link RotationView}. */
export const ScheduleCommand = z.strictObject({
  secret: Secret,
  operator: Operator,
  every: z.string().max(200).nullable(),
})
export type ScheduleCommand = z.infer<typeof ScheduleCommand>

/** `POST /v1/keys`: the new key of a provider that has no call to make one. Starts the rotation. Answers as `POST /v1/rotations` does. */
export const SupplyCommand = z.strictObject({
  secret: Secret,
  operator: Operator,
  value: z.string().min(8).max(10_000),
  /** The key's id at the provider, where the provider can disable or revoke it by that. */
  keyId: z.string().max(200).exactOptional(),
})
export type SupplyCommand = z.infer<typeof SupplyCommand>

/** `GET /v1/rotations` answers one for each secret with `rotate` in the cluster file: what operators may know, never a value. */
export const RotationView = z.strictObject({
  secret: z.string(),
  state: RotationState,
  /** In force: what an operator set, else what the cluster file says. */
  every: z.string(),
  scheduledBy: z.string(),
  rotatedAt: z.int().nullable(),
  nextAt: z.int().nullable(),
  /** Of the rotation under way: until when both keys are valid. */
  graceUntil: z.int().nullable(),
  requestedBy: z.string().nullable(),
  failure: z
    .strictObject({ at: z.int(), from: RotationState, reason: z.string(), count: z.int(), retryAt: z.int() })
    .nullable(),
  /** The oldest first. */
  history: z.array(HistoryEntry),
})
export type RotationView = z.infer<typeof RotationView>
