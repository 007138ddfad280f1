import type { RotationRecord, RotationState } from './record.ts'
import { type MaintenanceWindow, withinWindow } from './schedule.ts'

/** What is to be done next with a secret. */
export type StepName =
  | 'plan' // say when the next rotation is due
  | 'begin' // put the intent on record
  | 'create' // have the provider make a key
  | 'verify' // try it
  | 'promote' // make it live
  | 'announce' // tell the sidecars
  | 'leave-grace' // look whether the old key is still used; turn it off, or end it
  | 'revoke' // end the old key
  | 'finish' // see that it is dead, and that no other key is left
  | 'clean-up' // end what was made for a rotation that failed before it was promoted

export type NextStep = { step: StepName } | { waitUntil: number }

/** What of the surroundings decides. */
export interface Now {
  now: number
  /** The schedule in force. */
  every: string
  window: MaintenanceWindow | undefined
}

/** A function of the record and the time alone: whoever reads the record goes on where another has stopped. */
export function nextStep(record: RotationRecord, now: Now): NextStep {
  if (record.state === 'idle') return fromIdle(record, now)
  if (record.state !== 'failed') return under(record.state, record, now)
  const { failure, rotation, requested } = record
  const retryAt = failure?.retryAt ?? 0
  const isAsked = requested !== null && requested.at > (failure?.at ?? 0)
  const at = rotation || isAsked ? retryAt : withinWindow(Math.max(retryAt, now.now), now.window)
  if (!isAsked && now.now < at) return { waitUntil: at }
  if (!rotation) return { step: 'begin' }
  return isPromoted(failure!.from) ? under(failure!.from, record, now) : { step: 'clean-up' }
}

/** True in the states in which the new value is live. */
export const isPromoted = (state: RotationState): boolean =>
  ['promoted', 'grace', 'disabled', 'revoked'].includes(state)

function fromIdle({ requested, next }: RotationRecord, { now, every, window }: Now): NextStep {
  if (requested) return { step: 'begin' }
  if (next?.every !== every) return { step: 'plan' }
  const at = withinWindow(Math.max(next.at, now), window)
  return now >= at ? { step: 'begin' } : { waitUntil: Math.max(next.at, at) }
}

function under(state: RotationState, record: RotationRecord, { now }: Now): NextStep {
  const { rotation, requested } = record
  const isHurried = rotation?.revokeOld === true || requested?.revokeOld === true
  const from = (at: number | undefined, step: StepName): NextStep =>
    isHurried || now >= (at ?? 0) ? { step } : { waitUntil: at! }
  if (state === 'grace') return from(rotation?.graceUntil, 'leave-grace')
  if (state === 'disabled') return from(rotation?.disabledUntil, 'revoke')
  return { step: STEP_OF[state] }
}

const STEP_OF: Record<Exclude<RotationState, 'grace' | 'disabled'>, StepName> = {
  idle: 'plan',
  failed: 'begin',
  creating: 'create',
  created: 'verify',
  verified: 'promote',
  promoted: 'announce',
  revoked: 'finish',
}
