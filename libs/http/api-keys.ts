import { readFileSync, statSync } from 'node:fs'
import * as z from 'zod'
import { ConfigError, hashCredential, isSameHash } from '#lib/runtime'

/** What an API key stands for. The key itself is stored nowhere. */
export const ApiKey = z.strictObject({
  /** SHA-256 of the key, hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the key, 64 hex digits'),
  caller: z.string().min(1).max(200),
  tenant: z.string().min(1).max(200),
  /** Set on the key of a worker: it enqueues calls of this agent type and nothing else. */
  agentType: z.string().optional(),
})
export type ApiKey = z.infer<typeof ApiKey>

/**
 * The API keys of a file, a JSON list of {@link ApiKey}. No key may be of one of the `reservedTenants`.
 * @throws ConfigError naming the file and what is wrong in it
 */
export function readApiKeys(file: string, reservedTenants: string[] = []): ApiKey[] {
  const allowed = ApiKey.refine(({ tenant }) => !reservedTenants.includes(tenant), {
    path: ['tenant'],
    message: `expected another than "${reservedTenants.join('", "')}", which is reserved`,
  })
  const parsed = z.array(allowed).safeParse(readJson(file))
  if (parsed.success) return parsed.data
  throw new ConfigError(
    parsed.error.issues.map(
      ({ path, message }) => `API keys file ${file}: ${path.join('.') || 'the list'}: ${message}`,
    ),
  )
}

/** Whom a key that is shown stands for. Takes the same time whichever key is the right one. */
export function findApiKey(keys: ApiKey[], shown: string | undefined): ApiKey | undefined {
  return shown === undefined ? undefined : findByHash(keys, hashCredential(shown))
}

/** The API keys of a file, read anew when it changes: a key taken out of it opens nothing from then on. */
export class ApiKeys {
  readonly #file: string
  #readAt = ''
  #keys: ApiKey[] = []

  /** @throws ConfigError naming the file, when it cannot be read or is no list of keys */
  constructor(file: string) {
    this.#file = file
    this.#reread()
  }

  /** Whom a key that is shown stands for. @throws ConfigError when the file cannot be used any more */
  find(shown: string): ApiKey | undefined {
    return this.findByHash(hashCredential(shown))
  }

  /** Whom a key's hash still stands for. @throws ConfigError when the file cannot be used any more */
  findByHash(hash: string): ApiKey | undefined {
    this.#reread()
    return findByHash(this.#keys, hash)
  }

  #reread(): void {
    const version = versionOf(this.#file)
    if (version !== undefined && version === this.#readAt) return
    this.#readAt = ''
    this.#keys = readApiKeys(this.#file)
    this.#readAt = version ?? ''
  }
}

function findByHash(keys: ApiKey[], hash: string): ApiKey | undefined {
  return keys.filter((key) => isSameHash(key.hash, hash)).at(-1)
}

/** Undefined when there is no file: reading it says why. */
function versionOf(file: string): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat && `${stat.mtimeMs} ${stat.size} ${stat.ino}`
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    const { code = 'error' } = cause as NodeJS.ErrnoException
    const why = cause instanceof SyntaxError ? 'expected JSON' : `cannot be read: ${code}`
    throw new ConfigError([`API keys file ${file}: ${why}`])
  }
}
