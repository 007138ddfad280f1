import type { Redis } from 'ioredis'
import * as z from 'zod'
import { Level, PermanentError } from '#lib/runtime'
import type { QueueRef } from './names.ts'

const Schema = z.record(z.string(), z.unknown()).nullable()

/** What the workers of an agent type publish about it: how to validate its requests, and how it runs. */
export const Manifest = z.object({
  agentType: z.string(),
  /** JSON Schema 2020-12 as zod emits it; null: any JSON. */
  input: Schema,
  output: Schema,
  /** Of the bundled agent code. */
  bundleHash: z.string(),
  level: Level,
  /** Slots of the worker that published. */
  slots: z.int().min(1),
  attempts: z.int().min(1),
  timeoutMs: z.number().positive(),
  /** Milliseconds since the epoch. */
  publishedAt: z.number(),
})
export type Manifest = z.infer<typeof Manifest>

/** Largest manifest, in bytes of its JSON: bounds what compiling its schemas can cost a producer. */
const MAX_MANIFEST_BYTES = 256 * 1024

/** A manifest is too large or malformed. */
export class ManifestError extends PermanentError {
  override readonly name = 'ManifestError'
}

/** Publishes a manifest; the newest one counts. @throws ManifestError when its schemas are too large */
export async function publishManifest(redis: Redis, queue: QueueRef, manifest: Manifest): Promise<void> {
  const text = JSON.stringify(Manifest.parse(manifest))
  if (Buffer.byteLength(text) > MAX_MANIFEST_BYTES)
    throw new ManifestError(
      `the schemas of agent type "${queue.name}" take ${Buffer.byteLength(text)} bytes, at most ${MAX_MANIFEST_BYTES} are allowed`,
    )
  await redis.set(queue.key('tb:manifest'), text)
}

/** The manifest of an agent type; undefined before its first worker was ready. @throws ManifestError */
export async function readManifest(redis: Redis, queue: QueueRef): Promise<Manifest | undefined> {
  const text = await redis.get(queue.key('tb:manifest'))
  if (text === null) return undefined
  if (text.length > MAX_MANIFEST_BYTES)
    throw new ManifestError(`the manifest of "${queue.name}" is too large`)
  const parsed = Manifest.safeParse(parseJson(text))
  if (!parsed.success) throw new ManifestError(`the manifest of "${queue.name}" is malformed`)
  return parsed.data
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
