import type { Seen } from './probe.ts'

type Found = string | boolean | undefined | void

const TEXTS = 6
const CHARACTERS = 160

/** Collects what one probe saw, and what refused it. */
export class Tries {
  readonly #seen: string[] = []
  readonly #refused: Record<string, number> = {}

  /**
   * One try. What it gives is what was seen: true, or a text with more about it; nothing or false is nothing seen.
   * An error with a code is a refusal; any other is a fault of the probe, and thrown.
   */
  async try(what: string, attempt: () => Found | Promise<Found>): Promise<void> {
    try {
      const found = await attempt()
      if (found === undefined || found === false) this.#refuse('nothing')
      else this.#seen.push(found === true ? what : `${what}: ${found}`)
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (typeof code !== 'string') throw error
      this.#refuse(code)
    }
  }

  /** What was collected, short enough for a frame. */
  get result(): Seen {
    const more = this.#seen.length - TEXTS
    const seen = this.#seen.slice(0, TEXTS).map((text) => text.slice(0, CHARACTERS))
    return { seen: more > 0 ? [...seen, `and ${more} more`] : seen, refused: this.#refused }
  }

  #refuse(code: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
  }
}
