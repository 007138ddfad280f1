import { messageOf, type Log } from '#lib/runtime'
import { badRequest, oneError, VaultRefusal } from '../errors.ts'
import type { AuditEntry } from './audit-entry.ts'
import { FileDevice } from './file-device.ts'

export interface SavedDevice {
  path: string
  description: string
  options: Record<string, string>
  salt: string
}

/**
 * The audit devices. With none, nothing is recorded; with some, what not one of them could record does not happen:
 * the request is refused before it is carried out, and its answer is kept back after.
 */
export class AuditDevices {
  readonly #log: Log
  readonly #devices = new Map<string, FileDevice>()

  constructor(log: Log) {
    this.#log = log
  }

  /** @throws VaultRefusal 400 */
  enable(
    path: string,
    options: { type: string; description: string; options: Record<string, string> },
  ): void {
    for (const known of this.#devices.keys())
      if (known.startsWith(path) || path.startsWith(known)) throw badRequest('path already in use')
    if (options.type !== 'file') throw badRequest(`unknown backend type: "${options.type}"`)
    this.#devices.set(path, new FileDevice(options.description, options.options))
  }

  disable(path: string): void {
    this.#devices.get(path)?.close()
    this.#devices.delete(path)
  }

  all(): [string, FileDevice][] {
    return [...this.#devices]
  }

  save(): SavedDevice[] {
    return this.all().map(([path, { description, options, salt }]) => ({ path, description, options, salt }))
  }

  /** @throws VaultRefusal 400 when a file can't be opened any more: nothing is served unrecorded instead */
  load(saved: readonly SavedDevice[]): void {
    for (const { path, description, options, salt } of saved)
      this.#devices.set(path, new FileDevice(description, options, salt))
  }

  /** @throws VaultRefusal 400 */
  hash(path: string, value: string): string {
    const device = this.#devices.get(path)
    if (!device) throw badRequest(`unknown audit backend "${path}"`)
    return device.hash(value)
  }

  /** @throws VaultRefusal 500 when there are devices and none of them took it */
  record(entry: AuditEntry): void {
    if (this.#devices.size === 0) return
    let taken = false
    for (const [path, device] of this.#devices) {
      try {
        device.write(entry)
        taken = true
      } catch (error) {
        this.#log.error({ device: path, error: messageOf(error) }, 'audit device failed')
      }
    }
    if (!taken) throw new VaultRefusal(500, oneError('internal error'))
  }

  close(): void {
    for (const device of this.#devices.values()) device.close()
  }
}
