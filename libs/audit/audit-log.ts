import { type FileHandle, open } from 'node:fs/promises'
import { type Clock, systemClock } from '#lib/runtime'
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
}

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
  done: PromiseWithResolvers<void>
}

/**
 * The append-only record: one JSON object a line, each with the hash of the line before it.
 * A1: `record` resolves only when the line is on disk; events that wait together share one write and one sync.
 * A2: after a failed write nothing of it stays in the file, and the chain goes on from the last good line.
 * A3: one process writes a file at a time.
 */
export class AuditLog implements AsyncDisposable {
  readonly #file: string
  readonly #clock: Clock
  readonly #handle: FileHandle
  #head: Head
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #lost = 0
  #dirty = false

  private constructor(options: AuditLogOptions, handle: FileHandle, head: Head) {
    this.#file = options.file
    this.#clock = options.clock ?? systemClock
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
    const waiting = { fields: plainFields(event), done: Promise.withResolvers<void>() }
    this.#waiting.push(waiting)
    this.#writing ??= this.#writeAll()
    return waiting.done.promise
  }

  /** Writes what ended access: never throws, never needs waiting for. What is lost shows as a gap in the next line. */
  async note(event: AuditEvent): Promise<void> {
    await this.record(event).catch(() => this.#lost++)
  }

  /** Resolves when nothing waits to be written. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled()
    await this.#handle.close()
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#write(this.#waiting.splice(0))
    this.#writing = undefined
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
      for (const { done } of batch) done.resolve()
    } catch (cause) {
      await this.#cutBack().catch(() => {})
      for (const { done } of batch) done.reject(new AuditUnavailableError(this.#file, { cause }))
    }
  }

  /** Removes what a failed write left. While even that fails, nothing more is written. */
  async #cutBack(): Promise<void> {
    if (!this.#dirty) return
    await this.#handle.truncate(this.#head.bytes)
    this.#dirty = false
  }

  #format(batch: Waiting[]): { text: string; head: Head } {
    const time = new Date(this.#clock.now()).toISOString()
    const gap = this.#lost > 0 ? [{ action: 'gap', outcome: 'failed', lost: this.#lost }] : []
    let { seq, hash, bytes } = this.#head
    let text = ''
    for (const fields of [...gap, ...batch.map((waiting) => waiting.fields)]) {
      const line = formatLine(fields, { seq: ++seq, time, prev: hash })
      hash = hashOf(line)
      text += `${line}\n`
    }
    bytes += Buffer.byteLength(text)
    return { text, head: { seq, hash, bytes } }
  }
}

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
