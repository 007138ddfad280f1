import type { IncomingMessage } from 'node:http'

/** A Response as SDKs use it. Node's own class costs a context 25 ms and 18 MB at its first touch. */
export class BrokerResponse {
  readonly status: number
  readonly statusText: string
  readonly ok: boolean
  readonly url: string
  readonly redirected = false
  readonly type = 'basic'
  readonly headers: BrokerHeaders
  readonly #source: IncomingMessage
  #whole: Buffer | undefined
  #body: ReadableStream<Uint8Array> | undefined
  bodyUsed = false

  /** `whole`: the body, when it has been read from `source` already. */
  constructor(source: IncomingMessage, url: string, whole?: Buffer) {
    this.status = source.statusCode!
    this.statusText = source.statusMessage ?? ''
    this.ok = this.status >= 200 && this.status < 300
    this.url = url
    this.headers = new BrokerHeaders(source.rawHeaders)
    this.#source = source
    this.#whole = whole
  }

  get body(): ReadableStream<Uint8Array> {
    const { Readable } = process.getBuiltinModule('node:stream')
    const source = this.#whole ? Readable.from([this.#whole]) : this.#source
    this.#body ??= Readable.toWeb(source) as unknown as ReadableStream<Uint8Array>
    return this.#body
  }

  async bytes(): Promise<Uint8Array> {
    if (this.bodyUsed) throw new TypeError('the body has been read')
    this.bodyUsed = true
    if (this.#whole) return this.#whole
    const chunks: Uint8Array[] = []
    for await (const chunk of this.#body ?? this.#source) chunks.push(chunk as Uint8Array)
    return Buffer.concat(chunks)
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await this.bytes()
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes())
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.arrayBuffer()], { type: this.headers.get('content-type') ?? '' })
  }

  /** A second reading is possible only before the first. */
  clone(): BrokerResponse {
    throw new TypeError('a brokered response cannot be cloned')
  }
}

/** Response headers: names in lower case, values of one name joined. */
export class BrokerHeaders {
  readonly #values = new Map<string, string[]>()

  constructor(raw: string[]) {
    for (let at = 0; at < raw.length; at += 2) {
      const name = raw[at]!.toLowerCase()
      this.#values.set(name, [...(this.#values.get(name) ?? []), raw[at + 1]!])
    }
  }

  get(name: string): string | null {
    return this.#values.get(name.toLowerCase())?.join(', ') ?? null
  }
  has(name: string): boolean {
    return this.#values.has(name.toLowerCase())
  }
  getSetCookie(): string[] {
    return this.#values.get('set-cookie') ?? []
  }
  *entries(): IterableIterator<[string, string]> {
    for (const [name, values] of this.#values) yield [name, values.join(', ')]
  }
  *keys(): IterableIterator<string> {
    yield* this.#values.keys()
  }
  *values(): IterableIterator<string> {
    for (const [, value] of this.entries()) yield value
  }
  forEach(fn: (value: string, name: string, headers: this) => void): void {
    for (const [name, value] of this.entries()) fn(value, name, this)
  }
  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries()
  }
}
