import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Uids of contexts. U1: one uid serves one context and is not given again until reboot.
 * U2: blocks are claimed by `mkdir`, which succeeds for one launcher only. U3: it never wraps.
 * U4: the highest block is never removed and stands for all below it, so that the folder stays small.
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

/** Where the blocks that are used until reboot are kept. */
export const UIDS = '/run/threadbound/uids'

/** How many uids a range has, and how many of them no launcher has claimed since the last reboot. */
export interface UidsLeft {
  left: number
  total: number
}

/** Counts the uids that are left in a range. `folder`: as {@link UidSource} has it. */
export function uidsLeft(folder: string, { first, last }: UidRange): UidsLeft {
  const total = Math.floor((last - first + 1) / BLOCK) * BLOCK
  return { left: Math.max(0, total - BLOCK * nextBlock(folder)), total }
}

/** Above every block that was claimed: those below are not looked at again. */
function nextBlock(folder: string): number {
  if (!existsSync(folder)) return 0
  return Math.max(-1, ...blocksIn(folder)) + 1
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
    for (let block = nextBlock(this.#folder); ; block++) {
      const first = this.#range.first + block * BLOCK
      if (first + BLOCK - 1 > this.#range.last) throw new Error('every uid for contexts is used until reboot')
      if (!claimByName(join(this.#folder, String(block)))) continue
      const blocks = blocksIn(this.#folder)
      // A higher one came since we looked: ours may have been used and removed before, and is no claim.
      const isClaim = !blocks.some((other) => other > block)
      const spent = isClaim ? blocks.filter((other) => other < block) : [block]
      for (const one of spent) release(join(this.#folder, String(one)))
      if (!isClaim) continue
      this.#next = first
      this.#end = first + BLOCK
      return
    }
  }
}

const blocksIn = (folder: string) => readdirSync(folder).map(Number).filter(Number.isSafeInteger)

/** Another launcher may have done so already. */
function release(path: string): void {
  try {
    rmdirSync(path)
  } catch {}
}

/** True for the one caller who made the directory: no two ever do. */
export function claimByName(path: string): boolean {
  try {
    mkdirSync(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
