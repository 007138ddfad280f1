import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Uids of contexts. U1: one uid serves one context and is not given again until reboot.
 * U2: blocks are claimed by `mkdir`, which succeeds for one launcher only. U3: it never wraps.
 */

const FIRST = 1_879_048_192
/** The most that `spawn` takes. */
const LAST = 2_147_483_646
const BLOCK = 256

/** The last ones of the range are our own services': no context ever has one. */
const SERVICE_UIDS = 64 * BLOCK

/** Uids `first` to `last`, as far as this user namespace maps them. */
export interface UidRange {
  first: number
  last: number
}

/** The range for contexts on this host, or undefined where the map holds none. */
export function contextUidRange(uidMap?: string): UidRange | undefined {
  const range = ownRange(uidMap)
  return range && { first: range.first, last: range.last - SERVICE_UIDS }
}

/** The range for our own services, beside that for contexts; undefined where the map holds none. */
export function serviceUidRange(uidMap?: string): UidRange | undefined {
  const range = ownRange(uidMap)
  return range && { first: range.last - SERVICE_UIDS + 1, last: range.last }
}

/** What no user of a host has. */
function ownRange(uidMap = readFileSync('/proc/self/uid_map', 'utf8')): UidRange | undefined {
  for (const line of uidMap.trim().split('\n')) {
    const [inside, , length] = line.trim().split(/\s+/).map(Number)
    const last = inside! + length! - 1
    if (inside! <= FIRST && last >= FIRST + SERVICE_UIDS + BLOCK)
      return { first: FIRST, last: Math.min(last, LAST) }
    if (inside! <= 65_536 && last >= 131_072) return { first: 65_536, last: Math.min(last, LAST) }
  }
  return undefined
}

/** Gives out uids, each once. */
export class UidSource {
  readonly #folder: string
  readonly #range: UidRange
  #next = 0
  #end = 0

  /** `folder` must be a directory that only root can enter and that a reboot empties. */
  constructor(folder: string, range: UidRange) {
    this.#folder = folder
    this.#range = range
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /** @throws when the range is used up */
  take(): number {
    if (this.#next === this.#end) this.#claim()
    return this.#next++
  }

  #claim(): void {
    const claimed = readdirSync(this.#folder).map(Number).filter(Number.isSafeInteger)
    for (let block = Math.max(-1, ...claimed) + 1; ; block++) {
      const first = this.#range.first + block * BLOCK
      if (first + BLOCK - 1 > this.#range.last) throw new Error('every uid for contexts is used until reboot')
      if (!claim(join(this.#folder, String(block)))) continue
      this.#next = first
      this.#end = first + BLOCK
      return
    }
  }
}

function claim(path: string): boolean {
  try {
    mkdirSync(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
