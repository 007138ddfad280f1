import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { PermanentError } from '#lib/runtime'
import { decrypt, encrypt, type Keyring } from '../seal/keyring.ts'

/** What lies in the folder can't be read with this key: damaged, or of another ring. */
export class StoreDamagedError extends PermanentError {
  override readonly name = 'StoreDamagedError'
  constructor(file: string) {
    super(`${file}: can't be read: it is damaged, or belongs to other keys`)
  }
}

/**
 * A folder (0700) with two files: `keyring`, which says how many shares open it, and `state`, all that the Vault knows,
 * encrypted with AES-256-GCM under the data key. Each write replaces the whole file, so a crash leaves the one before.
 */
export class FileStore {
  readonly #keyringFile: string
  readonly #stateFile: string
  #writing: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
    this.#keyringFile = join(folder, 'keyring')
    this.#stateFile = join(folder, 'state')
  }

  /** Undefined in a new folder. @throws StoreDamagedError */
  readKeyring(): Keyring | undefined {
    const bytes = readIfThere(this.#keyringFile)
    try {
      return bytes && (deserialize(bytes) as Keyring)
    } catch {
      throw new StoreDamagedError(this.#keyringFile)
    }
  }

  writeKeyring(keyring: Keyring): Promise<void> {
    return replaceFile(this.#keyringFile, serialize(keyring))
  }

  /** @throws StoreDamagedError */
  readState(dataKey: Buffer): unknown {
    const hidden = readIfThere(this.#stateFile)
    const bytes = hidden && decrypt(dataKey, hidden)
    if (!bytes) throw new StoreDamagedError(this.#stateFile)
    return deserialize(bytes)
  }

  /** Resolves when all that was true at the call is on disk; calls meanwhile share the write that follows. */
  writeState(dataKey: Buffer, collect: () => unknown): Promise<void> {
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined
      return replaceFile(this.#stateFile, encrypt(dataKey, serialize(collect())))
    })
    this.#writing = this.#next.catch(() => {})
    return this.#next
  }

  /** Resolves when no write is under way. */
  settled(): Promise<void> {
    return this.#writing
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function replaceFile(file: string, bytes: Buffer): Promise<void> {
  const fresh = `${file}.new`
  const handle = await open(fresh, 'w', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(fresh, file)
}
