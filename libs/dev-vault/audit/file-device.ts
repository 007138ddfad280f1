import { closeSync, fchmodSync, fstatSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { createHmac, randomUUID } from 'node:crypto'
import { messageOf } from '#lib/runtime'
import { badRequest } from '../errors.ts'
import { Fields } from '../fields.ts'
import type { AuditEntry } from './audit-entry.ts'
import { hashed, type Hashing } from './hashing.ts'

/** A file that takes one JSON line an entry, each string value as an HMAC under the device's own salt. */
export class FileDevice {
  readonly description: string
  readonly options: Record<string, string>
  readonly #path: string
  readonly #mode: number | undefined
  readonly #hashing: Hashing
  readonly salt: string
  #descriptor: number | undefined

  /** @throws VaultRefusal 400 when the file can't be opened */
  constructor(description: string, options: Record<string, string>, salt: string = randomUUID()) {
    this.salt = salt
    const fields = new Fields(new Map(Object.entries(options)))
    this.description = description
    this.options = options
    this.#path = fields.string('file_path', options['path'])
    if (this.#path === '') throw badRequest('file_path is required')
    this.#mode = modeIn(fields)
    this.#hashing = {
      hmac: fields.boolean('log_raw') ? undefined : (value) => this.hash(value),
      accessors: fields.boolean('hmac_accessor', true),
      elideLists: fields.boolean('elide_list_responses'),
    }
    try {
      this.#open()
    } catch (error) {
      throw badRequest(`sanity check failed; unable to open "${this.#path}" for writing: ${messageOf(error)}`)
    }
  }

  /** What a value looks like in this device's file. */
  hash(value: string): string {
    return `hmac-sha256:${createHmac('sha256', this.salt).update(value).digest('hex')}`
  }

  /** Throws when the line could not be written whole; a file that was moved away is opened anew first. */
  write(entry: AuditEntry): void {
    const line = Buffer.from(`${JSON.stringify(hashed(entry, this.#hashing))}\n`)
    if (this.#path === 'discard') return
    try {
      this.#append(line)
    } catch {
      this.close()
      this.#append(line)
    }
  }

  close(): void {
    if (this.#descriptor !== undefined && this.#descriptor !== 1) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #append(line: Buffer): void {
    const descriptor = this.#open()
    const written = writeSync(descriptor, line)
    if (written !== line.length) throw new Error('audit line was cut short')
  }

  #open(): number {
    if (this.#path === 'discard') return -1
    if (this.#path === 'stdout') this.#descriptor = 1
    if (this.#descriptor === undefined) {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      this.#descriptor = openSync(this.#path, 'a', this.#mode ?? 0o600)
      if (this.#mode !== undefined && fstatSync(this.#descriptor).isFile())
        fchmodSync(this.#descriptor, this.#mode)
    }
    return this.#descriptor
  }
}

/** Executable bits are taken off; 0000 leaves the mode as it is. */
function modeIn(fields: Fields): number | undefined {
  const text = fields.string('mode', '0600')
  if (!/^[0-7]{1,4}$/.test(text)) throw badRequest('mode: expected octal digits')
  const mode = Number.parseInt(text, 8)
  return mode === 0 ? undefined : mode & 0o666
}
