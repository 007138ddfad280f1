/**
 * One BullMQ queue per agent type: names, connections, the job schema and its signature, and what is kept of a request.
 *
 * Q1 A job is good for one id in one queue, for the input, metadata, tenant, caller and chain that a producer signed, and
 *    until its expiry.
 * Q2 All keys of a queue carry one hash tag, and no two of (cluster, environment, agent type) share a key.
 * Q3 A Redis that may evict jobs, or is too old, is refused before it holds one.
 * Q4 A producer's command fails at once while Redis is away; it never waits in a queue of its own.
 * Q5 A cancel lies on its job: no attempt of a cancelled request begins, whoever dies in between.
 */
export { publishAlert, readAlerts } from './alerts.ts'
export { noteHead, readHead, type NotedHead } from './audit-head.ts'
export { openAlerts, type RaiseAlert } from './raise.ts'
export { AttemptRecord, Outcome, readAttempts, recordAttempt } from './attempts.ts'
export {
  CANCELLED_REASON,
  type Cancelled,
  type Cancels,
  cancelRequest,
  latestCancel,
  readCancelledAt,
  readCancels,
} from './cancel.ts'
export { canonicalJson, hashJson, MAX_JSON_DEPTH } from './canonical.ts'
export { openRedis, type RedisRole } from './connection.ts'
export {
  ExpiredJobError,
  ForgedJobError,
  InvalidJobError,
  isRedisUnavailable,
  RedisRefusedError,
  RedisUnavailableError,
  UnsignedJobError,
} from './errors.ts'
export {
  JobData,
  type JobFacts,
  Metadata,
  signJob,
  UNSIGNED,
  type VerifiedJob,
  verifyJob,
  type VerifyOptions,
} from './job.ts'
export { Manifest, ManifestError, publishManifest, readManifest } from './manifest.ts'
export {
  agentTypeOf,
  idempotentRequestId,
  lockKey,
  newRequestId,
  queueOf,
  type QueueRef,
  type QueueScope,
  serviceKeys,
} from './names.ts'
export { type PausableQueue, Pause, pauseQueue, readPause, resumeQueue } from './pause.ts'
export {
  publishRevocation,
  readRevocations,
  revocationsKey,
  RevocationNotice,
  RevocationTarget,
  type ToldRevocations,
} from './revocations.ts'
export { parsePromotion, Promotion, promotionChannel, publishPromotion } from './promotions.ts'
export {
  DEFAULT_EXPIRY_MS,
  enqueue,
  type EnqueueOptions,
  isLockHeld,
  type JobQueue,
  type JobResult,
  openQueue,
  type OpenQueueOptions,
  setMaxConcurrency,
} from './queue.ts'
export { redisAcl, type RedisAclOptions, type RedisUser, redisUsers, workerUser } from './redis-acl.ts'
export {
  type FoundRequest,
  parseFailure,
  readRequest,
  type ReadRequestOptions,
  type RequestOwner,
  type RequestView,
} from './request.ts'
export {
  createSigningKeyPem,
  publicKeyOf,
  readPublicKey,
  readSigningKey,
  SigningKeyError,
} from './signing-key.ts'
export { traceIdOf } from './trace-id.ts'
export { publishWorker, readWorkers, type WorkerInfo, withdrawWorker } from './workers.ts'
