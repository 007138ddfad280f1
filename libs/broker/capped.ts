import { Transform, type TransformCallback } from 'node:stream'
import { BodyTooLargeError } from './errors.ts'

/** Passes bytes on until there are too many. `count` sees every chunk and may throw. */
export class Capped extends Transform {
  readonly #limitBytes: number
  readonly #count: (bytes: number) => void
  #bytes = 0

  constructor(limitBytes: number, count: (bytes: number) => void) {
    super()
    this.#limitBytes = limitBytes
    this.#count = count
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.#bytes += chunk.length
    try {
      if (this.#bytes > this.#limitBytes) throw new BodyTooLargeError('response', this.#limitBytes)
      this.#count(chunk.length)
      done(null, chunk)
    } catch (error) {
      done(error as Error)
    }
  }
}
