import type { Seal } from '../seal/seal.ts'
import type { FileStore } from './file-store.ts'
import { collectState, restoreState, type SavedState, type StatefulParts } from './state.ts'

export interface PersistenceOptions {
  seal: Seal
  /** Absent: all is in memory, and every call here does nothing. */
  store: FileStore | undefined
  parts: StatefulParts
}

/** Keeps what the Vault knows in a store, where there is one: on disk before the answer leaves. */
export class Persistence {
  readonly #options: PersistenceOptions
  #isRestored = false

  constructor(options: PersistenceOptions) {
    this.#options = options
  }

  /** After initialisation: the first state, then the ring, whose file says that all is there. */
  async found(): Promise<void> {
    const { store, seal, parts } = this.#options
    this.#isRestored = true
    if (!store) return
    parts.leases.keepSecrets()
    await this.save()
    await store.writeKeyring(seal.keyring!)
  }

  /** Fills the parts from the store, the first time that it is opened. @throws StoreDamagedError */
  restoreOnce(): void {
    const { store, seal, parts } = this.#options
    if (this.#isRestored || !store) return
    restoreState(parts, store.readState(seal.dataKey!) as SavedState)
    parts.leases.keepSecrets()
    this.#isRestored = true
  }

  /** Resolves when all that is true now is kept. A sealed Vault changes nothing. */
  async save(): Promise<void> {
    const { store, seal, parts } = this.#options
    if (!store || !seal.dataKey) return
    await store.writeState(Buffer.from(seal.dataKey), () => collectState(parts))
  }

  async settled(): Promise<void> {
    await this.#options.store?.settled()
  }
}
