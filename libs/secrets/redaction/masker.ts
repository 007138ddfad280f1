import { Transform } from 'node:stream'
import { SHORTEST_FORM } from './forms.ts'
import { keyEnd, type Patterns } from './patterns.ts'

/** What stands in place of a secret's value. */
export const MASK = '[masked]'
const MASK_BYTES = Buffer.from(MASK)

/** What one stretch of bytes leaves behind for the next. */
interface Carry {
  /** Bytes that only the next stretch decides about. */
  held: Buffer
  /** How many of the coming bytes are masked already. */
  masked: number
  /** A key's shape was masked up to the end, and may go on. */
  inKey: boolean
  /** The byte in front of what is held. */
  before: number | undefined
}

const NOTHING: Carry = { held: Buffer.alloc(0), masked: 0, inKey: false, before: undefined }

/**
 * Searches bytes and replaces what {@link Patterns} finds by {@link MASK}; every byte of every find is covered, also where
 * finds overlap. How the bytes were cut into chunks makes no difference.
 */
export class Masker {
  readonly #patterns: Patterns
  readonly #onHit: (name: string) => void
  #carry = NOTHING

  /** `onHit` hears of every find, by the name of its secret. */
  constructor(patterns: Patterns, onHit: (name: string) => void = () => {}) {
    this.#patterns = patterns
    this.#onHit = onHit
  }

  /** A whole text, masked. Independent of the chunks. */
  text(text: string): string {
    if (text.length < SHORTEST_FORM) return text
    const bytes = Buffer.from(text)
    const { out } = this.#scan(bytes, NOTHING, true)
    return out === bytes ? text : out.toString()
  }

  /** The next chunk, masked. Only what may be the beginning of a find is held back. */
  push(chunk: Buffer): Buffer {
    return this.#next(chunk, false)
  }

  /** What was held back, at the end of the stream. */
  flush(): Buffer {
    return this.#next(Buffer.alloc(0), true)
  }

  /** The same as a stream. */
  stream(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => done(null, this.push(chunk)),
      flush: (done) => done(null, this.flush()),
    })
  }

  #next(chunk: Buffer, isLast: boolean): Buffer {
    const { held } = this.#carry
    const bytes = held.length > 0 ? Buffer.concat([held, chunk]) : chunk
    const { out, carry } = this.#scan(bytes, this.#carry, isLast)
    this.#carry = isLast ? NOTHING : carry
    return out
  }

  /** Gives `bytes` themselves when nothing is masked or held in them. */
  #scan(bytes: Buffer, from: Carry, isLast: boolean): { out: Buffer; carry: Carry } {
    const parts: Buffer[] = []
    let inKey = from.inKey
    let masked = Math.max(from.masked, inKey ? keyEnd(bytes, 0) : 0)
    inKey &&= masked >= bytes.length
    let written = masked
    let at = 0
    for (; at < bytes.length; at++) {
      const found = this.#patterns.at({ bytes, at, isLast }, at > 0 ? bytes[at - 1] : from.before)
      if (found === 'wait') break
      if (!found || at + found.length <= masked) continue
      this.#onHit(found.name)
      if (at >= masked) parts.push(bytes.subarray(written, at), MASK_BYTES)
      masked = at + found.length
      inKey = found.goesOn
      written = masked
    }
    if (written === 0 && at === bytes.length)
      return { out: bytes, carry: { ...NOTHING, before: bytes.at(-1) ?? from.before } }
    if (written < at) parts.push(bytes.subarray(written, at))
    const before = at > 0 ? bytes[at - 1] : from.before
    return {
      out: Buffer.concat(parts),
      carry: { held: bytes.subarray(at), masked: Math.max(0, masked - at), inKey, before },
    }
  }
}
