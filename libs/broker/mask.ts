import { Transform, type TransformCallback } from 'node:stream'

/** What stands in place of a secret's value. */
export const MASK = '[masked]'
const SHORTEST = 6

/** Every form in which a value may come back: raw, JSON, URL, base64 at its three offsets, base64url, hex. */
function formsOf(value: string): Buffer[] {
  const bytes = Buffer.from(value)
  const escaped = JSON.stringify(value).slice(1, -1)
  const texts = [
    value,
    escaped,
    escaped.replaceAll('/', '\\/'),
    encodeURIComponent(value),
    encodeURIComponent(value).replaceAll(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
    [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''),
    [...bytes].map((byte) => `\\u00${byte.toString(16).padStart(2, '0')}`).join(''),
    ...[0, 1, 2].flatMap((offset) => base64Forms(bytes, offset)),
  ]
  return [...new Set(texts)].filter((text) => text.length >= SHORTEST).map((text) => Buffer.from(text))
}

/** The base64 characters that the value alone decides when `offset` bytes of something else precede it. */
function base64Forms(bytes: Buffer, offset: number): string[] {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes])
  const whole = padded.toString('base64').replace(/=+$/, '')
  const stable = whole.slice([0, 2, 3][offset], padded.length % 3 === 0 ? undefined : -1)
  return [stable, stable.replaceAll('+', '-').replaceAll('/', '_')]
}

/** Searches bytes for the values of secrets and replaces every form of them by {@link MASK}. */
export class Masker {
  readonly #forms: Buffer[]
  readonly #longest: number
  #held: Buffer = Buffer.alloc(0)

  constructor(values: string[]) {
    this.#forms = values.flatMap(formsOf).toSorted((a, b) => b.length - a.length)
    this.#longest = this.#forms[0]?.length ?? 0
  }

  /** A whole text, masked. Independent of the chunks. */
  text(text: string): string {
    return this.#replace(Buffer.from(text)).toString()
  }

  /** The next chunk, masked. Only what may be the beginning of a value is held back. */
  push(chunk: Buffer): Buffer {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk
    const masked = this.#replace(bytes)
    const held = this.#suspectTail(masked)
    this.#held = masked.subarray(masked.length - held)
    return masked.subarray(0, masked.length - held)
  }

  /** What was held back, at the end of the stream. */
  flush(): Buffer {
    const rest = this.#held
    this.#held = Buffer.alloc(0)
    return rest
  }

  /** The same as a stream. */
  stream(): Transform {
    const push = (chunk: Buffer, done: TransformCallback) => done(null, this.push(chunk))
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => push(chunk, done),
      flush: (done) => done(null, this.flush()),
    })
  }

  #replace(bytes: Buffer): Buffer {
    const parts: Buffer[] = []
    let from = 0
    for (let hit = this.#next(bytes, 0); hit; hit = this.#next(bytes, from)) {
      parts.push(bytes.subarray(from, hit.at), Buffer.from(MASK))
      from = hit.at + hit.length
    }
    return from === 0 ? bytes : Buffer.concat([...parts, bytes.subarray(from)])
  }

  /** The leftmost hit, the longest of those that begin there. */
  #next(bytes: Buffer, from: number): { at: number; length: number } | undefined {
    let best: { at: number; length: number } | undefined
    for (const form of this.#forms) {
      const at = bytes.indexOf(form, from)
      if (at >= 0 && (!best || at < best.at)) best = { at, length: form.length }
    }
    return best
  }

  /** How many bytes at the end are the beginning of a form. */
  #suspectTail(bytes: Buffer): number {
    for (let length = Math.min(this.#longest - 1, bytes.length); length > 0; length--) {
      const tail = bytes.subarray(bytes.length - length)
      if (this.#forms.some((form) => form.length > length && form.subarray(0, length).equals(tail)))
        return length
    }
    return 0
  }
}
