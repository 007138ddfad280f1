import { type FileHandle, open } from 'node:fs/promises'
import { type Clock, type Log, messageOf, silentLog, systemClock } from '#lib/runtime'
import { type ChainedLine, formatLine, GENESIS, hashOf, parseLine } from './chain.ts'
import { type AuditEvent, plainFields } from './event.ts'

/** The event could not be written; what needed it on record must not happen. */
export class AuditUnavailableError extends Error {
  override readonly name = 'AuditUnavailableError'
  constructor(file: string, options?: ErrorOptions) {
    super(`audit log ${file} cannot be written`, options)
  }
}

/** Where the log lies. */
export interface AuditLogOptions {
  /** Created with mode 0600 when absent; continued when present. */
  file: string
  clock?: Clock | undefined
  /** Told when the file cannot be written, and when it can again. Default: nobody is. */
  log?: Log | undefined
  /** Hears the same: `true` when it cannot. Must not throw. */
  failing?: ((isFailing: boolean) => void) | undefined
}

/** From one try to write what is late to the next, when nothing else is to be written. */
const LATE_EVERY_MS = 5000
/** As many events are kept in memory until they can be written; more are only counted. */
const LATE_KEPT = 10_000

/** The last good line: its number and its hash. */
export interface AuditHead {
  seq: number
  hash: string
}
interface Head extends AuditHead {
  /** Where it ends. */
  bytes: number
}
interface Waiting {
  fields: object
  /** Epoch milliseconds. */
  at: number
  /** It has happened already: when it cannot be written now, it is written late. */
  isPast: boolean
  done: PromiseWithResolvers<void>
}

/**
 * The append-only record: one JSON object a line, each with the hash of the line before it.
 * A1: `record` resolves only when the line is on disk; events that wait together share one write and one sync.
 * A2: after a failed write nothing of it stays in the file, and the chain goes on from the last good line.
 * A3: one process writes a file at a time.
 * A4: what was noted while nothing could be written follows once it can, after a gap mark that counts it.
 */
export class AuditLog implements AsyncDisposable {
  readonly #file: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #tell: (isFailing: boolean) => void
  readonly #handle: FileHandle
  readonly #stop = new AbortController()
  #head: Head
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #late: Waiting[] = []
  #catchingUp: Promise<void> | undefined
  #lost = 0
  #dirty = false
  #failing = false

  private constructor(options: AuditLogOptions, handle: FileHandle, head: Head) {
    this.#file = options.file
    this.#clock = options.clock ?? systemClock
    this.#log = options.log ?? silentLog
    this.#tell = options.failing ?? (() => {})
    this.#handle = handle
    this.#head = head
  }

  /** Opens the log and finds its end. A torn last line (a crash within a write) is cut off. @throws AuditUnavailableError */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const handle = await open(options.file, 'a+', 0o600)
    try {
      const head = await findHead(handle)
      await handle.truncate(head.bytes)
      return new AuditLog(options, handle, head)
    } catch (cause) {
      await handle.close()
      throw new AuditUnavailableError(options.file, { cause })
    }
  }

  /** How far the log goes: what is noted elsewhere, so that a cut end is found. */
  get head(): AuditHead {
    return { seq: this.#head.seq, hash: this.#head.hash }
  }

  /** Writes an event; access waits for it. @throws AuditUnavailableError, AuditEventError */
  async record(event: AuditEvent): Promise<void> {
    return this.#add(event, false)
  }

  /** Writes what has happened, such as an end: never throws, never needs waiting for. What cannot be written now is written late. */
  async note(event: AuditEvent): Promise<void> {
    await this.#add(event, true).catch(() => this.#lost++)
  }

  /** Resolves when nothing waits to be written. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#catchingUp
    await this.settled()
    if (this.#late.length > 0) await this.#write([])
    await this.#handle.close()
  }

  async #add(event: AuditEvent, isPast: boolean): Promise<void> {
    const fields = plainFields(event)
    const waiting = { fields, at: this.#clock.now(), isPast, done: Promise.withResolvers<void>() }
    this.#waiting.push(waiting)
    this.#writing ??= this.#writeAll()
    return waiting.done.promise
  }

  async #writeAll(): Promise<void> {
    do await this.#write(this.#waiting.splice(0))
    while (this.#waiting.length > 0)
    this.#writing = undefined
  }

  /** While something is late; a record that is written meanwhile takes it along. */
  async #catchUp(): Promise<void> {
    while (this.#late.length > 0 && !this.#stop.signal.aborted) {
      await this.#clock.sleep(LATE_EVERY_MS, this.#stop.signal).catch(() => {})
      if (this.#late.length > 0) await (this.#writing ??= this.#writeAll())
    }
    this.#catchingUp = undefined
  }

  async #write(batch: Waiting[]): Promise<void> {
    const { text, head } = this.#format(batch)
    try {
      await this.#cutBack()
      this.#dirty = true
      await this.#handle.appendFile(text)
      await this.#handle.datasync()
      this.#dirty = false
      this.#head = head
      this.#lost = 0
      this.#late = []
      for (const { done } of batch) done.resolve()
      this.#setFailing(undefined)
    } catch (cause) {
      await this.#cutBack().catch(() => {})
      this.#fail(batch, cause)
    }
  }

  #fail(batch: Waiting[], cause: unknown): void {
    this.#setFailing(cause)
    for (const waiting of batch) {
      if (!waiting.isPast) waiting.done.reject(new AuditUnavailableError(this.#file, { cause }))
      else if (this.#late.length < LATE_KEPT) this.#late.push(waiting)
      else this.#lost++
      waiting.done.resolve()
    }
    if (this.#late.length > 0 && !this.#stop.signal.aborted) this.#catchingUp ??= this.#catchUp()
  }

  /** Tells each change once. */
  #setFailing(cause: unknown): void {
    const isFailing = cause !== undefined
    if (this.#failing === isFailing) return
    this.#failing = isFailing
    const facts = { file: this.#file }
    if (isFailing) this.#log.error({ ...facts, error: messageOf(cause) }, 'the audit log cannot be written')
    else this.#log.info(facts, 'the audit log is written again')
    this.#tell(isFailing)
  }

  /** Removes what a failed write left. While even that fails, nothing more is written. */
  async #cutBack(): Promise<void> {
    if (!this.#dirty) return
    await this.#handle.truncate(this.#head.bytes)
    this.#dirty = false
  }

  #format(batch: Waiting[]): { text: string; head: Head } {
    const time = isoOf(this.#clock.now())
    const counts = { late: this.#late.length, lost: this.#lost }
    const gap = counts.late + counts.lost > 0 ? [{ action: 'gap', outcome: 'failed', ...counts }] : []
    const late = this.#late.map(({ fields, at }) => ({ ...fields, happened: isoOf(at) }))
    let { seq, hash, bytes } = this.#head
    let text = ''
    for (const fields of [...gap, ...late, ...batch.map((waiting) => waiting.fields)]) {
      const line = formatLine(fields, { seq: ++seq, time, prev: hash })
      hash = hashOf(line)
      text += `${line}\n`
    }
    bytes += Buffer.byteLength(text)
    return { text, head: { seq, hash, bytes } }
  }
}

const isoOf = (at: number) => new Date(at).toISOString()

const TAIL_BYTES = 2 ** 20

/** Reads the file's last full line. */
async function findHead(handle: FileHandle): Promise<Head> {
  const { size } = await handle.stat()
  const from = Math.max(0, size - TAIL_BYTES)
  const tail = Buffer.alloc(size - from)
  await handle.read(tail, 0, tail.length, from)
  const end = tail.lastIndexOf(0x0a)
  if (end < 0 && from === 0) return { seq: 0, hash: GENESIS, bytes: 0 }
  const line = tail.subarray(tail.lastIndexOf(0x0a, end - 1) + 1, end).toString('utf8')
  const last: ChainedLine | undefined = end < 0 ? undefined : parseLine(line)
  if (!last) throw new Error('its last line is no audit line')
  return { seq: last.seq, hash: hashOf(line), bytes: from + end + 1 }
}
