import type { Context, ContextPool, AttemptEnd } from '#lib/context'
import type { VerifiedJob } from '#lib/queue'
import { messageOf } from '#lib/runtime'
import { inSpan, newSpanId, traceparentOf } from '#lib/telemetry'
import type { Job } from 'bullmq'
import { type SpanContext, trace, TraceFlags } from '@opentelemetry/api'
import { setTimeout as delay } from 'node:timers/promises'
import type { Handlers } from './handlers.ts'
import type { Outgoing } from './outgoing.ts'
import { redactEnd } from './redact-end.ts'
import type { Redaction } from './redaction.ts'
import type { SidecarClient } from './sidecar-client.ts'

/** I2: a slot is free within the timeout + 1 s, even when nobody says what may leave or confirms what was revoked. */
const AFTERWARDS_MS = 800
/** How long the end of an attempt waits for those at most. */
const END_MS = 2000

/** What the steps of an attempt are made of. */
export interface AttemptParts {
  pool: ContextPool
  sidecar: SidecarClient
  timeoutMs: number
  verify(job: Job): VerifiedJob
  handlers(attempt: Attempt, outgoing: Outgoing): Handlers
  outgoing(attempt: Attempt): Outgoing
  redaction: Redaction
  memory(tenant: string): Promise<AttemptMemory>
  /** True when its context must share nothing: its thread host ended before, and no one knows by whose fault. */
  isSuspect: (job: Job) => Promise<boolean>
}

/** A singleton's document at the start of an attempt, and how to keep the changed one. */
export interface AttemptMemory {
  value: unknown
  save(value: unknown): Promise<void>
}

/** One attempt on its way through the steps; each step fills in what the next one needs. */
export interface Attempt {
  readonly job: Job
  readonly token: string
  readonly signal: AbortSignal
  /** Aborts when the attempt has ended, however it did: what it still waits for is not wanted any more. */
  readonly over: AbortController
  readonly startedAt: number
  readonly traceparent: string
  verified?: VerifiedJob
  context?: Context
  grant?: string
  memory?: AttemptMemory
  /** Epoch milliseconds: from then on its slot waits for nothing more. */
  freeBy?: number
  /** What its context says goes through here. */
  outgoing?: Outgoing
  /** The end of the grant, once it is under way. */
  revoked?: Promise<unknown>
  end?: AttemptEnd
  error?: unknown
}

/** Runs one attempt from job to ended context. Never rejects: what went wrong is in `error` or in `end`. */
export async function runAttempt(attempt: Attempt, parts: AttemptParts): Promise<Attempt> {
  try {
    validate(attempt, parts)
    await acquireContext(attempt, parts)
    await grant(attempt, parts)
    await run(attempt, parts)
    await redact(attempt)
    await remember(attempt)
  } catch (error) {
    attempt.error = error
  }
  return release(attempt, parts)
}

/** The first step: an attempt of `job`, inside the span that BullMQ's telemetry opened for it. */
export function begin(job: Job, token: string, signal: AbortSignal): Attempt {
  const span = trace.getActiveSpan()
  return {
    job,
    token,
    signal,
    over: new AbortController(),
    startedAt: Date.now(),
    traceparent: traceparentOf(span?.spanContext() ?? newTrace()),
  }
}

/** Ids for an attempt that nobody traces: contexts and records always have some. */
function newTrace(): SpanContext {
  return { traceId: newSpanId() + newSpanId(), spanId: newSpanId(), traceFlags: TraceFlags.NONE }
}

/** Refuses a job that no producer of ours signed (or no unsigned one may be), that expired, or that fits no schema. */
export function validate(attempt: Attempt, parts: AttemptParts): void {
  attempt.verified = parts.verify(attempt.job)
}

/** Takes a fresh context: a spare, or one that starts now. */
export async function acquireContext(attempt: Attempt, { pool, isSuspect }: AttemptParts): Promise<void> {
  const alone = await isSuspect(attempt.job)
  attempt.context = await inSpan('context.acquire', {}, () => pool.acquire(attempt.signal, { alone }))
}

/** Has the sidecar attach this attempt's rights to the context's connections; meanwhile its launcher bounds it. */
export async function grant(
  attempt: Attempt,
  { sidecar, redaction, timeoutMs }: AttemptParts,
): Promise<void> {
  const { job, token, context, traceparent } = attempt
  const ask = () =>
    sidecar.grant({
      context: context!.id,
      jobId: job.id!,
      attempt: job.attemptsStarted,
      lockToken: token,
      job: job.data,
      traceparent,
      timeoutMs,
      ...(redaction.link === undefined ? {} : { redaction: redaction.link }),
    })
  context!.enter().catch(() => {}) // `run` says it
  redaction.ready()
  attempt.grant = await inSpan('grant', {}, ask)
}

/** Lets the request into the context and waits until it has ended, whichever way. */
export async function run(attempt: Attempt, parts: AttemptParts): Promise<void> {
  const { job, verified, context, traceparent, signal } = attempt
  const { tenant, input, metadata } = verified!
  const memory = (attempt.memory = await parts.memory(tenant))
  attempt.freeBy = Date.now() + parts.timeoutMs + AFTERWARDS_MS
  const outgoing = (attempt.outgoing = parts.outgoing(attempt))
  const request = { id: job.id!, attempt: job.attemptsMade + 1, agentType: job.queueName, tenant, metadata }
  const task = {
    request,
    input,
    traceparent,
    ...(memory.value === undefined ? {} : { memory: memory.value }),
  }
  signal.throwIfAborted()
  const spoken = () => void revoke(attempt, parts).catch(() => {})
  attempt.end = await context!.run(task, { ...parts.handlers(attempt, outgoing), spoken }, signal)
  attempt.freeBy = Math.min(attempt.freeBy, Date.now() + END_MS)
}

/** Clears how the attempt ended of secrets, after all that it said before. */
export async function redact(attempt: Attempt): Promise<void> {
  attempt.end = await redactEnd(attempt.end!, attempt.outgoing!)
  await attempt.outgoing!.settle()
}

/** Keeps a singleton's document, once it is known what may be kept of it. */
export async function remember({ end, memory }: Attempt): Promise<void> {
  if (end!.outcome === 'completed' && end!.memory !== undefined) await memory!.save(end!.memory)
}

/** How long the attempt may still wait for something, milliseconds; below 0 not at all. */
export function patienceOf({ freeBy = Date.now() + END_MS }: Attempt): number {
  return freeBy - Date.now()
}

/** Ends the grant, once; of an attempt that ran as soon as its agent has spoken, beside the end of its context. */
async function revoke(attempt: Attempt, { sidecar }: AttemptParts): Promise<void> {
  const { grant: granted } = attempt
  if (granted) await (attempt.revoked ??= inSpan('revoke', {}, () => sidecar.end(granted)))
}

/**
 * Gives back what the attempt still holds: a context that ran has ended with its run. What fails here is a fact for the
 * log, never a change of the outcome.
 */
export async function release(attempt: Attempt, parts: AttemptParts): Promise<Attempt> {
  attempt.over.abort()
  if (attempt.grant) parts.redaction.forget(attempt.grant)
  const unused = attempt.end ? undefined : attempt.context
  const steps = [
    () => inTime(attempt, revoke(attempt, parts)),
    async () => unused && (await inSpan('context.free', {}, () => unused[Symbol.asyncDispose]())),
  ]
  const ended = await Promise.allSettled(steps.map((step) => step()))
  for (const { reason } of ended.filter((step) => step.status === 'rejected'))
    trace.getActiveSpan()?.addEvent('release failed', { 'threadbound.reason': messageOf(reason) })
  return attempt
}

/** The sidecar goes on revoking by itself, and what it does not say is not waited for. */
async function inTime(attempt: Attempt, revoked: Promise<void>): Promise<void> {
  const over = new AbortController()
  const late = delay(Math.max(0, patienceOf(attempt)), true, over).catch(() => false)
  try {
    if (await Promise.race([revoked, late])) throw new Error('the sidecar has not said that all is revoked')
  } finally {
    over.abort()
  }
}
