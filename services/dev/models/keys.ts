import { readFileSync, statSync } from 'node:fs'
import { ConfigError, hashCredential, isSameHash } from '#lib/runtime'
import * as z from 'zod'

const Key = z.string().min(1)
const Keys = z.strictObject({
  anthropic: z.array(Key).default([]),
  /** A key alone is of the project `default`. */
  openai: z
    .array(
      z.union([
        Key.transform((key) => ({ key, project: 'default' })),
        z.strictObject({ key: Key, project: Key }),
      ]),
    )
    .default([]),
  'openai-admin': z.array(Key).default([]),
})
type Keys = z.infer<typeof Keys>

/** The keys that the stand-in begins with, from a JSON file; it is read again when it has changed. */
export class AcceptedKeys {
  readonly #file: string
  #seen = ''
  #content = ''
  #keys: Keys = Keys.parse({})

  /** @throws ConfigError when the file cannot be read or has another form */
  constructor(file: string) {
    this.#file = file
    this.#reload()
  }

  /** True when the provider would accept the key. A file that is broken by now leaves the last good keys in force. */
  has(provider: 'anthropic' | 'openai-admin', key: string): boolean {
    this.#look()
    const hash = hashCredential(key)
    return this.#keys[provider].some((accepted) => isSameHash(hashCredential(accepted), hash))
  }

  /** OpenAI's, by project, as the file has them now; `content` tells one content of the file from another. */
  openai(): { keys: Keys['openai']; content: string } {
    this.#look()
    return { keys: this.#keys.openai, content: this.#content }
  }

  #look(): void {
    try {
      this.#reload()
    } catch {
      // half-written: the next request reads it again
    }
  }

  #reload(): void {
    const { mtimeMs, size, ino } = this.#stat()
    const seen = `${mtimeMs}:${size}:${ino}`
    if (seen === this.#seen) return
    this.#keys = readKeys(this.#file)
    this.#content = hashCredential(JSON.stringify(this.#keys))
    this.#seen = seen
  }

  #stat() {
    try {
      return statSync(this.#file)
    } catch (cause) {
      throw new ConfigError([
        `TB_KEYS_FILE: cannot read ${this.#file}: ${(cause as NodeJS.ErrnoException).code}`,
      ])
    }
  }
}

function readKeys(file: string): Keys {
  try {
    return Keys.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    throw new ConfigError([
      `TB_KEYS_FILE: ${file} must hold JSON {"anthropic": [key], "openai": [key or {"key", "project"}], "openai-admin": [key]}`,
    ])
  }
}
