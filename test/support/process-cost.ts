import { readdirSync, readFileSync } from 'node:fs'

/** What a process costs its host now. */
export interface ProcessCost {
  /** Its memory, a page that n processes share counted as 1/n of it; bytes. */
  pssBytes: number
  /** The part of it that no file is behind: what a leak makes grow. */
  anonymousBytes: number
  /** All of its pages that are in memory, shared ones whole; bytes. No other process changes it. */
  residentBytes: number
  descriptors: number
  threads: number
}

/** Reads the cost of a process from /proc. @throws when it is gone */
export function costOf(pid: number): ProcessCost {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return {
    pssBytes: field(rollup, 'Pss') * 1024,
    anonymousBytes: field(rollup, 'Pss_Anon') * 1024,
    residentBytes: field(rollup, 'Rss') * 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: field(readFileSync(`/proc/${pid}/status`, 'utf8'), 'Threads'),
  }
}

/** Children of these processes that have ended and that nobody has reaped. */
export function zombiesOf(parents: number[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const [state, parent] = statOf(pid)
      return state === 'Z' && parents.includes(Number(parent))
    })
}

const field = (text: string, name: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)

function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
