/**
 * The broker: calls services outside for a context, with the key added here.
 *
 * B1 What the rules matched is what is sent, byte for byte; everything that they do not name is refused.
 * B2 A key is put in right before the request is written, and is searched for in all that comes back: status line to body.
 * B3 No redirect is followed, no proxy of the environment is used, no answer in an encoding is passed on.
 * B4 What is dialled is a public address, or one that the cluster file lists; a name is resolved once for a connection.
 * B5 Every call counts against its attempt, and ends with it.
 * B6 A provider's own text reaches a context only as its answer, or as a rejection that was masked.
 */
export { isPublic, judgedLookup, type Resolve } from './addresses.ts'
export { AttemptBudget, type AttemptLimits } from './budget.ts'
export { connectDatabase, type DatabaseAddress, relay } from './database-relay.ts'
export { addressOf } from './dialled.ts'
export {
  AttemptLimitError,
  BadBrokerRequestError,
  BodyTooLargeError,
  CallRateError,
  EgressRefusedError,
  TooManyConnectionsError,
  UnusableSecretError,
  UpstreamError,
  type UpstreamFailure,
} from './errors.ts'
export { callModel, type ModelCall, streamModel } from './model.ts'
export { bodyFrom, KEPT_BODY_BYTES, type OutgoingBody, REQUEST_BODY_BYTES } from './request-body.ts'
export { type EgressRules, hostOf, isSameOrigin, matchEgress, type Target } from './rules.ts'
export {
  type CallLimits,
  type CarriedSecret,
  type IncomingAnswer,
  type OutgoingCall,
  RESPONSE_BODY_BYTES,
  Upstream,
} from './upstream.ts'
