/** Where a number of parties wait for each other; one that ends before it arrives is not waited for. */
export class Barrier {
  readonly #missing: Set<string>
  readonly #open = Promise.withResolvers<void>()

  constructor(parties: string[]) {
    this.#missing = new Set(parties)
  }

  /** Resolves when all have arrived or left. */
  async arrive(party: string): Promise<void> {
    this.leave(party)
    await this.#open.promise
  }

  leave(party: string): void {
    this.#missing.delete(party)
    if (this.#missing.size === 0) this.#open.resolve()
  }

  /** Resolves with the last one. */
  get opened(): Promise<void> {
    return this.#open.promise
  }
}
