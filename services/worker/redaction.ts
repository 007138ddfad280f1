import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import {
  FramedSocket,
  type FromRedaction,
  type Outlet,
  type Preamble,
  REDACTION_FRAME_BYTES,
  type ToRedaction,
} from '#lib/wire'
import * as z from 'zod'

/** The sidecar does not say what may leave. What was asked about must be withheld. */
export class RedactionError extends Error {
  override readonly name = 'RedactionError'
  readonly type = 'redaction-unavailable'
  constructor(why: string) {
    super(`the sidecar does not say what may leave: ${why}`)
  }
}

/** Something that an agent said, without secrets, and the names of those that were in it. */
export interface Redacted<T> {
  value: T
  found: string[]
}

/** What of an attempt is asked about. */
export interface Question<T> {
  grant: string
  outlet: Outlet
  /** JSON; for stdout and stderr the next piece of text. */
  value: T
  /** Nothing follows on stdout or stderr. */
  isLast?: boolean
  /** How long the answer may take, milliseconds, if that is less than always; below 0 not at all. */
  patienceMs?: number
}

/** Asks the sidecar, which alone knows the values, what may leave of what agents say. */
export interface Redaction extends AsyncDisposable {
  /** What the sidecar knows this connection by: for grant requests. */
  readonly link?: string
  /** Connects if need be, so that values can be handed out. */
  ready(): void
  /** True from when a value was handed to the context of this grant: before that it can say none. */
  isNeeded(grant: string | undefined): boolean
  /** @throws RedactionError */
  redact<T>(question: Question<T>): Promise<Redacted<T>>
  /** The attempt has said its last. */
  forget(grant: string): void
  /** Calls back when an operator has revoked what the attempt of a job holds. One listener. */
  onRevoked(listener: (jobId: string) => void): void
}

/** Without a sidecar no value is handed out. */
export const noRedaction: Redaction = {
  ready() {},
  isNeeded: () => false,
  redact: async ({ value }) => ({ value, found: [] }),
  forget() {},
  onRevoked() {},
  async [Symbol.asyncDispose]() {},
}

export interface RedactionOptions {
  /** The sidecar's socket for this agent type. */
  path: string
  credential: string
  /** How long an answer may take. Default: 2 s. */
  patienceMs?: number
}

const FromRedactionSchema: z.ZodType<FromRedaction> = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('handing'), grant: z.string() }),
  z.strictObject({
    t: z.literal('redacted'),
    id: z.int(),
    json: z.string().exactOptional(),
    found: z.array(z.string()),
  }),
  z.strictObject({ t: z.literal('refused'), id: z.int() }),
  z.strictObject({ t: z.literal('revoked'), jobId: z.string() }),
])
type Answer = Extract<FromRedaction, { t: 'redacted' }>

/**
 * A connection to the sidecar that is made when it is first needed, and again after it broke. Answers come in the order of
 * the questions. With it breaks what was under way: a new sidecar knows no grant of the old one.
 */
export class RedactionLink implements Redaction {
  readonly link = randomUUID()
  readonly #options: RedactionOptions
  readonly #handed = new Set<string>()
  readonly #asked = new Map<number, PromiseWithResolvers<Answer>>()
  #framed: FramedSocket | undefined
  #revoked: (jobId: string) => void = () => {}
  #ids = 0
  #isOver = false

  constructor(options: RedactionOptions) {
    this.#options = options
  }

  ready(): void {
    if (!this.#isOver) this.#framed ??= this.#connect()
  }

  isNeeded(grant: string | undefined): boolean {
    return grant !== undefined && this.#handed.has(grant)
  }

  async redact<T>({ grant, outlet, value, isLast = false, ...question }: Question<T>): Promise<Redacted<T>> {
    const id = this.#ids++
    const json = JSON.stringify(value)
    const asked = Promise.withResolvers<Answer>()
    const patienceMs = Math.min(this.#options.patienceMs ?? 2000, question.patienceMs ?? Infinity)
    const late = () => asked.reject(new RedactionError(`no answer within ${patienceMs} ms`))
    const timer = setTimeout(late, Math.max(0, patienceMs))
    this.#asked.set(id, asked)
    this.#send({ t: 'redact', id, grant, outlet, json, ...(isLast ? { last: true } : {}) })
    try {
      const { json: changed, found } = await asked.promise
      return { value: changed === undefined ? value : (JSON.parse(changed) as T), found }
    } finally {
      clearTimeout(timer)
      this.#asked.delete(id)
    }
  }

  forget(grant: string): void {
    if (this.#handed.delete(grant)) this.#send({ t: 'forget', grant })
  }

  onRevoked(listener: (jobId: string) => void): void {
    this.#revoked = listener
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    this.#framed?.destroy()
  }

  #send(message: ToRedaction): void {
    this.ready()
    this.#framed?.send(message)
  }

  #connect(): FramedSocket {
    const { path, credential } = this.#options
    const socket = connect(path)
    const preamble: Preamble = { role: 'redaction', credential, link: this.link }
    socket.write(`${JSON.stringify(preamble)}\n`)
    const framed = new FramedSocket(socket, REDACTION_FRAME_BYTES, {
      message: (message) => this.#hear(FromRedactionSchema.parse(message)),
      close: () => this.#closed(framed),
    })
    return framed
  }

  #hear(message: FromRedaction): void {
    if (message.t === 'handing') {
      this.#handed.add(message.grant)
      this.#framed?.send({ t: 'ready', grant: message.grant } satisfies ToRedaction)
    } else if (message.t === 'revoked') this.#revoked(message.jobId)
    else if (message.t === 'redacted') this.#asked.get(message.id)?.resolve(message)
    else this.#asked.get(message.id)?.reject(new RedactionError('it does not know the grant'))
  }

  #closed(framed: FramedSocket): void {
    if (this.#framed === framed) this.#framed = undefined
    for (const asked of this.#asked.values()) asked.reject(new RedactionError('the connection broke'))
  }
}
