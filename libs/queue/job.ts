import { sign, verify, type KeyObject } from 'node:crypto'
import * as z from 'zod'
import { canonicalJson, hashJson } from './canonical.ts'
import { ExpiredJobError, ForgedJobError, InvalidJobError, UnsignedJobError } from './errors.ts'

/** Free facts of a caller about its request. They travel to the agent and are covered by the signature. */
export const Metadata = z
  .record(z.string().min(1).max(100), z.string().max(1000))
  .refine((metadata) => Object.keys(metadata).length <= 32, 'at most 32 entries')

const Who = z.string().min(1).max(200)

/** What lies in the queue for a request, version 1. Times are milliseconds since the epoch. */
export const JobData = z.strictObject({
  v: z.literal(1),
  input: z.unknown(),
  metadata: Metadata,
  tenant: Who,
  caller: Who,
  /** Agent types that called one another before this job, outermost first; empty for a request from outside. */
  chain: z.array(z.string().max(41)).max(32),
  /** SHA-256 of the input's canonical JSON, hex. */
  inputHash: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits'),
  expiresAt: z.int(),
  createdAt: z.int(),
  /** Ed25519, base64url. */
  signature: z.string().max(100),
})
export type JobData = z.infer<typeof JobData>

/** What a service with plain BullMQ may enqueue to a type with `accept-unsigned`. */
const UnsignedJobData = z.strictObject({ input: z.unknown(), metadata: Metadata.default({}) })

/** The facts that a job states and its signature covers. */
export interface JobFacts {
  id: string
  agentType: string
  input: unknown
  metadata: Record<string, string>
  tenant: string
  caller: string
  chain: string[]
  createdAt: number
  expiresAt: number
}

/** A job whose origin is known. Unsigned ones are of tenant and caller `unsigned`. */
export interface VerifiedJob extends Omit<JobFacts, 'createdAt' | 'expiresAt'> {
  signed: boolean
  createdAt?: number
  expiresAt?: number
}

/** Tenant and caller of jobs that nobody signed. No API key may name this tenant. */
export const UNSIGNED = 'unsigned'

/** Makes the envelope of a job. @throws InvalidJobError when the input is no JSON or nests too deep */
export function signJob(signingKey: KeyObject, facts: JobFacts): JobData {
  const { input, metadata, tenant, caller, chain, createdAt, expiresAt } = facts
  const inputHash = hashJson(input)
  const signature = sign(null, signedBytes(facts, inputHash), signingKey).toString('base64url')
  return { v: 1, input, metadata, tenant, caller, chain, inputHash, expiresAt, createdAt, signature }
}

/** A job as found in a queue, and what its agent type accepts. */
export interface VerifyOptions {
  /** The job's id and the queue it was found in: a job is good for these alone. */
  id: string
  agentType: string
  /** As read from the queue. */
  data: unknown
  /** Takes jobs of plain BullMQ producers too, as tenant {@link UNSIGNED}. */
  acceptUnsigned: boolean
  /** Milliseconds since the epoch. */
  now: number
}

/**
 * Judges the data of a job as found in a queue.
 * @throws InvalidJobError, UnsignedJobError, ForgedJobError, ExpiredJobError: all permanent, with a `type`
 */
export function verifyJob(publicKey: KeyObject, options: VerifyOptions): VerifiedJob {
  const { id, agentType, data } = options
  if (!isSigned(data)) return acceptUnsigned(options)
  const job = parse(JobData, data)
  if (hashJson(job.input) !== job.inputHash) throw new ForgedJobError('its input was changed')
  const signature = Buffer.from(job.signature, 'base64url')
  const facts = { ...job, id, agentType }
  if (!verify(null, signedBytes(facts, job.inputHash), publicKey, signature))
    throw new ForgedJobError(`the signature does not fit this data, id and agent type "${agentType}"`)
  if (job.expiresAt <= options.now) throw new ExpiredJobError(job.expiresAt)
  const { input, metadata, tenant, caller, chain, createdAt, expiresAt } = job
  return { id, agentType, input, metadata, tenant, caller, chain, createdAt, expiresAt, signed: true }
}

function acceptUnsigned({ id, agentType, data, acceptUnsigned }: VerifyOptions): VerifiedJob {
  if (!acceptUnsigned) throw new UnsignedJobError(agentType)
  const { input, metadata } = parse(UnsignedJobData, data)
  return { id, agentType, input, metadata, tenant: UNSIGNED, caller: UNSIGNED, chain: [], signed: false }
}

/** Data that claims any of the envelope's own fields must hold the whole of it. */
function isSigned(data: unknown): boolean {
  return typeof data === 'object' && data !== null && ('signature' in data || 'v' in data)
}

/** A fixed first line keeps these bytes apart from anything else that the key may ever sign. */
function signedBytes(facts: JobFacts, inputHash: string): Buffer {
  const { id, agentType, tenant, caller, chain, expiresAt, createdAt } = facts
  const metadataHash = hashJson(facts.metadata)
  const v = 1
  const covered = { v, id, agentType, tenant, caller, chain, inputHash, metadataHash, expiresAt, createdAt }
  return Buffer.from(`threadbound job\n${canonicalJson(covered)}`)
}

function parse<S extends z.ZodType>(schema: S, data: unknown): z.infer<S> {
  const parsed = schema.safeParse(data)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length ? `${path.join('.')}: ${message}` : message,
  )
  throw new InvalidJobError(problems.join('; '))
}
