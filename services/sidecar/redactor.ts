import { StringDecoder } from 'node:string_decoder'
import { Masker, maskJson, Patterns } from '#lib/secrets'
import type { Outlet } from '#lib/wire'

/** What may leave of something that an agent said, and the names of the secrets that were found in it. */
export interface Redacted {
  value: unknown
  found: string[]
}

/** The live values of one attempt, and what is searched for them. Streams have a state of their own each. */
export class Redactor {
  readonly #patterns = new Patterns({ keyShapes: true })
  readonly #found = new Set<string>()
  readonly #masker = new Masker(this.#patterns, (name) => this.#found.add(name))
  readonly #streams = new Map<Outlet, { masker: Masker; decoder: StringDecoder }>()

  /** Searches for a value from now on. */
  add(name: string, value: string): void {
    this.#patterns.add(name, value)
  }

  /** A text of the attempt that we write ourselves: an address, a model's name. */
  text(text: string): string {
    return this.#masker.text(text)
  }

  /** A whole value, or the next piece of a stream. Its depth must be bounded. */
  redact(outlet: Outlet, value: unknown, isLast = false): Redacted {
    this.#found.clear()
    const isStream = outlet === 'stdout' || outlet === 'stderr'
    const masked = isStream ? this.#piece(outlet, String(value), isLast) : maskJson(value, this.#masker)
    return { value: masked, found: [...this.#found] }
  }

  #piece(outlet: Outlet, text: string, isLast: boolean): string {
    const { masker, decoder } = this.#streamOf(outlet)
    const masked = decoder.write(masker.push(Buffer.from(text)))
    return isLast ? masked + decoder.end(masker.flush()) : masked
  }

  #streamOf(outlet: Outlet) {
    const masker = new Masker(this.#patterns, (name) => this.#found.add(name))
    const stream = this.#streams.get(outlet) ?? { masker, decoder: new StringDecoder('utf8') }
    this.#streams.set(outlet, stream)
    return stream
  }
}
