import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { SupervisedSpec } from '../../services/dev/supervision/index.ts'

const PROGRAM = fileURLToPath(new URL('tiny-service.mjs', import.meta.url))

/** A real small child process; `mode` is a list of: child, die-at-once, never-ready, stubborn. */
export function tinyService(
  options: { name: string; directory: string; mode?: string } & Partial<SupervisedSpec>,
): SupervisedSpec {
  const { name, directory, mode = '', ...spec } = options
  return {
    name,
    stopPhase: 1,
    launch: () => ({
      command: process.execPath,
      args: [PROGRAM],
      env: { TINY_NAME: name, TINY_NOTES: notesFile(directory), TINY_MODE: mode },
    }),
    ...spec,
  }
}

/** What the tiny services of a directory noted: [name, what, pid]. */
export function notes(directory: string): { name: string; what: string; pid: number }[] {
  const lines = readFileSync(notesFile(directory), { encoding: 'utf8', flag: 'a+' })
    .split('\n')
    .filter(Boolean)
  return lines.map((line) => {
    const [name, what, pid] = line.split(' ') as [string, string, string]
    return { name, what, pid: Number(pid) }
  })
}

/** Every process that the tiny services of a directory started, themselves included. */
export function pidsOf(directory: string): number[] {
  return notes(directory).flatMap(({ what, pid }) =>
    what.startsWith('child:') ? [Number(what.slice('child:'.length))] : [pid],
  )
}

/** True while a process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Resolves when the condition holds; rejects with its text after `patienceMs`. */
export async function until(what: string, holds: () => boolean, patienceMs = 50_000): Promise<void> {
  const end = performance.now() + patienceMs
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${patienceMs / 1000} s: ${what}`)
    await delay(10)
  }
}

const notesFile = (directory: string) => `${directory}/notes`
