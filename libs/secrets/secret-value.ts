import { createHmac, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { PermanentError } from '#lib/runtime'

/** The value was wiped: whoever held it is past its end. */
export class SecretWipedError extends PermanentError {
  override readonly name = 'SecretWipedError'
  constructor(label: string) {
    super(`${label} was wiped`)
  }
}

/**
 * A secret that cannot be printed: its bytes lie in a private field, outside Node's shared buffer pool, and every
 * way to text (template, JSON, inspect, structuredClone) shows its name at most. Wiping is best effort: strings that
 * `reveal` made, and copies that the engine moved, stay until collected.
 */
export class SecretValue {
  readonly name: string
  /** The KV version it was read at; 0 for what has none. */
  readonly generation: number
  #bytes: Buffer | undefined
  #mark: string | undefined

  constructor(name: string, value: string, generation = 0) {
    this.name = name
    this.generation = generation
    const length = Buffer.byteLength(value)
    this.#bytes = Buffer.allocUnsafeSlow(length)
    this.#bytes.write(value)
  }

  /** Lends the bytes to `use`, which must not keep them. @throws SecretWipedError */
  use<T>(use: (bytes: Buffer) => T): T {
    if (!this.#bytes) throw new SecretWipedError(String(this))
    return use(this.#bytes)
  }

  /** The value as text, for the one call that needs it. @throws SecretWipedError */
  reveal(): string {
    return this.use((bytes) => bytes.toString('utf8'))
  }

  /**
   * What stands for the value in a record: who has the key, and the value, finds its uses; nobody else learns anything.
   * HMAC-SHA256, `hmac-sha256:<hex>`, made once. @throws SecretWipedError
   */
  mark(key: KeyObject): string {
    this.#mark ??= this.use((bytes) => `hmac-sha256:${createHmac('sha256', key).update(bytes).digest('hex')}`)
    return this.#mark
  }

  /** Overwrites the bytes. Later uses throw. */
  wipe(): void {
    this.#bytes?.fill(0)
    this.#bytes = undefined
  }

  /** Its name and generation, never the value; so does every other way to text. */
  toString(): string {
    return `[secret ${this.name}@${this.generation}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return this.toString()
  }

  get [Symbol.toStringTag](): string {
    return 'SecretValue'
  }
}
