import { join } from 'node:path'
import { ConfigError, hashCredential, isSameHash, readCredential } from '#lib/runtime'

/** What the workers of one agent type must present; only its hash is kept. */
export class WorkerCredential {
  readonly #hash: string

  /** @throws ConfigError when the file `<folder>/<agent type>` is missing or empty */
  constructor(folder: string, agentType: string) {
    const value = readCredential(join(folder, agentType))
    if (value === '') throw new ConfigError([`TB_CREDENTIALS_DIR: the credential of "${agentType}" is empty`])
    this.#hash = hashCredential(value)
  }

  /** Compares in constant time. */
  matches(presented: string): boolean {
    return isSameHash(this.#hash, hashCredential(presented))
  }
}
