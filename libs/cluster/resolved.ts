import { rename, writeFile } from 'node:fs/promises'
import { isAbsolute, relative, sep } from 'node:path'
import * as z from 'zod'
import { Level } from '#lib/runtime'
import { ClusterFileError, wholeFile } from './errors.ts'
import type { Cluster } from './model.ts'
import { pathText } from './source/printable.ts'

/** Version of the format; services and supervisor come from one checkout, so nothing older is read. */
const VERSION = 1

const optionalText = z.string().exactOptional()
const Agent = z.strictObject({
  name: z.string(),
  type: z.enum(['thread-bound', 'singleton']),
  isolation: Level,
  model: optionalText,
  handler: optionalText,
  system: optionalText,
  maxConcurrency: z.int().positive(),
  memoryLimitBytes: z.int().positive(),
  timeoutMs: z.int().positive(),
  attempts: z.int().positive(),
  permissions: z.array(z.enum(['child-process', 'worker'])),
  secrets: z.array(z.string()),
  mayCall: z.array(z.string()),
  acceptUnsigned: z.boolean(),
  trustedCode: z.boolean(),
  memoryMaxAgeMs: z.int().positive(),
})
const Secret = z.strictObject({
  name: z.string(),
  provider: z.string(),
  deliver: z.enum(['broker', 'value']),
  egress: z
    .strictObject({
      baseUrl: z.url(),
      header: z.string(),
      allow: z.array(z.string()),
      networks: z.array(z.string()).exactOptional(),
    })
    .exactOptional(),
  connect: z
    .strictObject({
      host: z.string(),
      port: z.int(),
      database: z.string(),
      adminSecret: z.string(),
      socket: optionalText,
    })
    .exactOptional(),
  grant: z.array(z.string()).exactOptional(),
  ttlMs: z.int().positive().exactOptional(),
  rotate: z
    .strictObject({
      every: z.string(),
      window: z.strictObject({ fromMinute: z.int(), toMinute: z.int() }).exactOptional(),
      project: optionalText,
      adminSecret: optionalText,
      command: optionalText,
      also: z.array(z.enum(['last-used', 'disable', 'identify'])).exactOptional(),
      role: optionalText,
      roles: z.tuple([z.string(), z.string()]).exactOptional(),
    })
    .exactOptional(),
  cache: z
    .strictObject({
      freshMs: z.int().positive().exactOptional(),
      staleMs: z.int().nonnegative().exactOptional(),
    })
    .exactOptional(),
  sources: z.array(z.string()).exactOptional(),
})
const Resolved = z.strictObject({
  resolved: z.literal(VERSION),
  cluster: z.strictObject({
    name: z.string(),
    environment: z.string(),
    file: z.string(),
    root: z.string(),
    development: z.strictObject({ standIn: z.array(z.enum(['anthropic', 'openai', 'postgres'])) }),
    agents: z.record(z.string(), Agent),
    models: z.array(
      z.strictObject({ pattern: z.string(), provider: z.enum(['anthropic', 'openai']), secret: z.string() }),
    ),
    secrets: z.record(z.string(), Secret),
    alerts: z.strictObject({
      concurrencyAbovePercent: z.number(),
      unexpectedSource: z.boolean(),
      rotationFailed: z.boolean(),
      webhook: optionalText,
    }),
  }),
}) satisfies z.ZodType<{ resolved: typeof VERSION; cluster: Cluster }>

/** Writes a checked cluster for services to read; readers see the old file or the new one, never a part. */
export async function writeResolvedCluster(cluster: Cluster, file: string): Promise<void> {
  const beside = `${file}.${process.pid}.${process.hrtime.bigint()}.new`
  await writeFile(beside, `${JSON.stringify({ resolved: VERSION, cluster })}\n`, { mode: 0o644, flag: 'wx' })
  await rename(beside, file)
}

/** True for a text that {@link writeResolvedCluster} wrote. */
export function isResolved(text: string): boolean {
  return text.startsWith('{"resolved":')
}

/** Reads what {@link writeResolvedCluster} wrote. @throws ClusterFileError when it is of another version */
export function parseResolved(text: string, file: string): Cluster {
  const parsed = Resolved.safeParse(json(text, file))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw wrong(file, `is no resolved cluster of this version: ${pathText(issue!.path)}: ${issue!.message}`)
  }
  const { cluster } = parsed.data
  for (const { handler } of Object.values(cluster.agents))
    if (handler !== undefined && !isBelow(cluster.root, handler))
      throw wrong(file, 'has a handler outside its root')
  for (const { rotate } of Object.values(cluster.secrets))
    if (rotate?.command !== undefined && !isBelow(cluster.root, rotate.command))
      throw wrong(file, 'has a command outside its root')
  return cluster
}

function json(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw wrong(file, 'is no complete JSON')
  }
}

function isBelow(root: string, path: string): boolean {
  const way = relative(root, path)
  return isAbsolute(path) && way !== '' && way !== '..' && !way.startsWith(`..${sep}`)
}

const wrong = (file: string, message: string) => new ClusterFileError(file, [wholeFile(message)])
