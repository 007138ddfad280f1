import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { UNSIGNED } from '#lib/queue'
import { ConfigError } from '#lib/runtime'

/** What an API key stands for. The key itself is stored nowhere. */
export const ApiKey = z.strictObject({
  /** SHA-256 of the key, hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the key, 64 hex digits'),
  caller: z.string().min(1).max(200),
  tenant: z
    .string()
    .min(1)
    .max(200)
    .refine((tenant) => tenant !== UNSIGNED, `"${UNSIGNED}" is kept for unsigned jobs`),
  /** Set on the key of a worker: it enqueues calls of this agent type and nothing else. */
  agentType: z.string().optional(),
})
export type ApiKey = z.infer<typeof ApiKey>

/** The API keys of a file. @throws ConfigError naming the file and what is wrong in it */
export function readApiKeys(file: string): ApiKey[] {
  const parsed = z.array(ApiKey).safeParse(readJson(file))
  if (parsed.success) return parsed.data
  throw new ConfigError(
    parsed.error.issues.map(({ path, message }) => `${file}: ${path.join('.')}: ${message}`),
  )
}

/** Who presents `Authorization: Bearer <key>`. Takes the same time whichever key is the right one. */
export function findApiKey(keys: ApiKey[], authorization: string | undefined): ApiKey | undefined {
  const presented = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  if (presented === undefined) return undefined
  const hash = createHash('sha256').update(presented).digest()
  let found: ApiKey | undefined
  for (const key of keys) if (timingSafeEqual(hash, Buffer.from(key.hash, 'hex'))) found = key
  return found
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'it is no JSON' : (cause as NodeJS.ErrnoException).code
    throw new ConfigError([`cannot read the API keys in ${file}: ${why}`])
  }
}
