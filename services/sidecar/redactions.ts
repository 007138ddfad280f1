import type { Socket } from 'node:net'
import type { AuditLog } from '#lib/audit'
import type { RaiseAlert } from '#lib/queue'
import { type Clock, type Log, slept } from '#lib/runtime'
import { FramedSocket, type FromRedaction, REDACTION_FRAME_BYTES, type ToRedaction } from '#lib/wire'
import { RedactionUnavailableError } from './errors.ts'
import type { LiveAttempt } from './live-attempt.ts'
import { ToRedactionSchema, valueOf } from './redaction-frames.ts'
import { Redactor } from './redactor.ts'

/** How long a value waits for the worker to be ready. */
const READY_MS = 2000
/** How long after its end an attempt's last words may still be asked about. */
const KEPT_MS = 60_000

export interface RedactionsOptions {
  audit: AuditLog
  raise: RaiseAlert
  clock: Clock
  log: Log
}

/** A value on its way into a context. */
export interface HandedValue {
  name: string
  value: string
}

/** A worker's connection for redaction: of which agent type, and what the worker calls it. */
export interface LinkName {
  agentType: string
  link: string
}

interface Waiting {
  link: string
  ready(): void
}

/**
 * What agents say, searched for the values that their contexts were handed; only the sidecar knows those.
 * 1. A value is handed to a context only when its worker has confirmed that nothing leaves unasked from then on: what
 *    cannot be redacted is not given. An attempt that is handed none costs nothing.
 * 2. A grant that is not known is refused, never passed: whoever asks must withhold.
 * 3. The last words of an attempt come after its grant's end, so its values are kept until the worker says so, a minute at most.
 */
export class Redactions implements AsyncDisposable {
  readonly #options: RedactionsOptions
  readonly #links = new Map<string, FramedSocket>()
  readonly #handed = new Map<string, { attempt: LiveAttempt; redactor: Redactor }>()
  readonly #waiting = new Map<string, Waiting>()
  readonly #stop = new AbortController()

  constructor(options: RedactionsOptions) {
    this.#options = options
  }

  /** Takes a connection over. A second one of the same name takes its place. */
  attach(name: LinkName, socket: Socket): void {
    const key = keyOf(name)
    this.#links.get(key)?.destroy()
    const framed = new FramedSocket(socket, REDACTION_FRAME_BYTES, {
      message: (message) => this.#hear(name, framed, ToRedactionSchema.parse(message)),
      close: (error) => {
        if (this.#links.get(key) === framed) this.#links.delete(key)
        if (error) this.#options.log.warn({ ...name, error: error.name }, 'connection for redaction broken')
      },
    })
    this.#links.set(key, framed)
    socket.resume()
    for (const [grant, { link }] of this.#waiting) if (link === key) framed.send(handing(grant))
  }

  /** Resolves when a value may enter the attempt's context. @throws RedactionUnavailableError */
  async hand(attempt: LiveAttempt, values: HandedValue[]): Promise<void> {
    const { grant } = attempt
    attempt.redactor ??= new Redactor()
    for (const { name, value } of values) attempt.redactor.add(name, value)
    this.#keep(attempt, attempt.redactor)
    attempt.handing ??= this.#announce(attempt).catch((error: unknown) => {
      attempt.handing = undefined
      throw error
    })
    await attempt.handing
    this.#options.log.debug({ agentType: grant.agentType, requestId: grant.jobId }, 'value handed')
  }

  /** A service has sent a secret's value back: it was masked, and its attempt may have asked for that. */
  echoed(attempt: LiveAttempt, secret: string): void {
    this.#note(attempt, 'echo', secret)
  }

  /** Has the worker abort an attempt. One that cannot be told has lost its grant all the same. */
  revoked(attempt: LiveAttempt): void {
    this.#links
      .get(linkOf(attempt))
      ?.send({ t: 'revoked', jobId: attempt.grant.jobId } satisfies FromRedaction)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    for (const link of this.#links.values()) link.destroy()
    this.#handed.clear()
  }

  async #announce(attempt: LiveAttempt): Promise<void> {
    const { clock } = this.#options
    const link = linkOf(attempt)
    const { promise, resolve } = Promise.withResolvers<true>()
    const done = new AbortController()
    const over = AbortSignal.any([done.signal, attempt.signal])
    this.#waiting.set(attempt.grant.id, { link, ready: () => resolve(true) })
    this.#links.get(link)?.send(handing(attempt.grant.id))
    const late = slept(clock, READY_MS, over).then(() => false)
    const isReady = await Promise.race([promise, late])
    done.abort()
    this.#waiting.delete(attempt.grant.id)
    attempt.signal.throwIfAborted()
    if (!isReady) throw new RedactionUnavailableError()
  }

  /** Until the worker forgets it, or a while after the end. */
  #keep(attempt: LiveAttempt, redactor: Redactor): void {
    const { id } = attempt.grant
    if (this.#handed.has(id)) return
    this.#handed.set(id, { attempt, redactor })
    attempt.signal.addEventListener('abort', () => void this.#forgetLater(id), { once: true })
  }

  async #forgetLater(grantId: string): Promise<void> {
    if (await slept(this.#options.clock, KEPT_MS, this.#stop.signal)) this.#handed.delete(grantId)
  }

  #hear({ agentType, link }: LinkName, framed: FramedSocket, message: ToRedaction): void {
    const { grant } = message
    const waiting = this.#waiting.get(grant)
    const handed = this.#handed.get(grant)
    const isOwn = handed?.attempt.grant.agentType === agentType
    if (message.t === 'ready' && waiting?.link === keyOf({ agentType, link })) waiting.ready()
    if (message.t === 'forget' && isOwn) this.#handed.delete(grant)
    if (message.t === 'redact') framed.send(isOwn ? this.#redact(message, handed) : refused(message.id))
  }

  #redact(
    message: Extract<ToRedaction, { t: 'redact' }>,
    { attempt, redactor }: { attempt: LiveAttempt; redactor: Redactor },
  ): FromRedaction {
    const { id, outlet, last = false } = message
    const before = valueOf(message)
    const { value, found } = redactor.redact(outlet, before, last)
    for (const secret of found) this.#note(attempt, outlet, secret)
    return { t: 'redacted', id, ...(value === before ? {} : { json: JSON.stringify(value) }), found }
  }

  /** On record and told once for each secret and outlet of an attempt: it may repeat itself as often as it likes. */
  #note(attempt: LiveAttempt, outlet: string, secret: string): void {
    if (!attempt.redacted(`${outlet} ${secret}`)) return
    const { audit, raise } = this.#options
    const facts = attempt.facts()
    void audit.note({ ...facts, action: 'redact', outcome: 'denied', secret, outlet })
    const labels = { 'agent-type': attempt.grant.agentType, request: attempt.grant.jobId, secret, outlet }
    void raise(outlet === 'echo' ? 'secret-echoed' : 'secret-in-output', 'critical', labels, facts.traceId)
  }
}

const keyOf = ({ agentType, link }: LinkName) => `${agentType}/${link}`
const linkOf = ({ grant: { agentType, redaction } }: LiveAttempt) => keyOf({ agentType, link: redaction })
const handing = (grant: string): FromRedaction => ({ t: 'handing', grant })
const refused = (id: number): FromRedaction => ({ t: 'refused', id })
