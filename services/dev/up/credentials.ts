import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSigningKeyPem } from '#lib/queue'
import { hashCredential, readCredential } from '#lib/runtime'
import { privateDirectory } from './directories.ts'

/** One entry of the list of API keys that producer and console check against. */
interface ApiKeyEntry {
  hash: string
  caller: string
  tenant: string
  agentType?: string
}

/** Where the API keys of a cluster lie. */
export interface ApiKeyFiles {
  /** The key for people. */
  apiKeyFile: string
  /** The list that producer and console check against. */
  apiKeysFile: string
  workerKeyFile: (agentType: string) => string
}

/**
 * The credentials of a cluster on one machine: files in a private folder of the data directory, one value each,
 * made once and kept. Everything here is a path; values are read only where they must be handed on.
 */
export class Credentials {
  readonly #directory: string

  constructor(dataDirectory: string) {
    this.#directory = privateDirectory(dataDirectory, 'credentials')
  }

  /** The file of a generated value: made by `make` (default 32 random bytes) when it is not there. */
  file(name: string, make: () => string = randomToken): string {
    const path = join(this.#directory, name)
    if (!existsSync(path)) writePrivate(path, make())
    return path
  }

  /** A file whose content is decided elsewhere and may change from start to start. */
  write(name: string, content: string): string {
    const path = join(this.#directory, name)
    writePrivate(path, content)
    return path
  }

  /** A folder of files, one per agent type. */
  directory(name: string): string {
    return privateDirectory(this.#directory, name)
  }

  /** The generated value itself. */
  read(name: string, make?: () => string): string {
    return readCredential(this.file(name, make))
  }

  /** The Ed25519 key pair that signs jobs. */
  signingKeys(): { signingKeyFile: string; publicKeyFile: string } {
    const signingKeyFile = join(this.#directory, 'signing-key.pem')
    const publicKeyFile = join(this.#directory, 'signing-key.pub.pem')
    if (!existsSync(signingKeyFile) || !existsSync(publicKeyFile)) {
      const { signingKey, publicKey } = createSigningKeyPem()
      writePrivate(signingKeyFile, signingKey)
      writePrivate(publicKeyFile, publicKey)
    }
    return { signingKeyFile, publicKeyFile }
  }

  /** One key for people and one for each agent type's worker; the list holds hashes only. */
  apiKeys(agentTypes: string[]): ApiKeyFiles {
    const workerKeyFile = (type: string) => this.file(`worker-key-${type}`, apiKey)
    const apiKeyFile = this.file('api-key', apiKey)
    const entries: ApiKeyEntry[] = [
      { hash: hashOf(apiKeyFile), caller: 'local', tenant: 'default' },
      ...agentTypes.map((agentType) => ({
        hash: hashOf(workerKeyFile(agentType)),
        caller: agentType,
        tenant: 'default',
        agentType,
      })),
    ]
    return { apiKeyFile, apiKeysFile: this.write('api-keys.json', JSON.stringify(entries)), workerKeyFile }
  }
}

/** Whole or not at all, readable by its owner only. */
function writePrivate(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

const randomToken = () => randomBytes(32).toString('base64url')
const apiKey = () => `tbk_${randomToken()}`
const hashOf = (file: string) => hashCredential(readCredential(file))
