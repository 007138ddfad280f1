import { readFileSync, statSync } from 'node:fs'
import { ConfigError, hashCredential, isSameHash } from '#lib/runtime'
import * as z from 'zod'

const Keys = z.strictObject({
  anthropic: z.array(z.string().min(1)).default([]),
  openai: z.array(z.string().min(1)).default([]),
})
type Keys = z.infer<typeof Keys>

/** The keys that the stand-in accepts, from a JSON file; it is read again when it has changed. */
export class AcceptedKeys {
  readonly #file: string
  #version = ''
  #keys: Keys = { anthropic: [], openai: [] }

  /** @throws ConfigError when the file cannot be read or is not `{anthropic: string[], openai: string[]}` */
  constructor(file: string) {
    this.#file = file
    this.#reload()
  }

  /** True when the provider would accept the key. A file that is broken by now leaves the last good keys in force. */
  has(provider: keyof Keys, key: string): boolean {
    try {
      this.#reload()
    } catch {
      // half-written: the next request reads it again
    }
    const hash = hashCredential(key)
    return this.#keys[provider].some((accepted) => isSameHash(hashCredential(accepted), hash))
  }

  #reload(): void {
    const { mtimeMs, size, ino } = this.#stat()
    const version = `${mtimeMs}:${size}:${ino}`
    if (version === this.#version) return
    this.#keys = readKeys(this.#file)
    this.#version = version
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
    throw new ConfigError([`TB_KEYS_FILE: ${file} must hold JSON {"anthropic": [key], "openai": [key]}`])
  }
}
