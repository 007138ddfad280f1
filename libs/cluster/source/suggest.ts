import { closest, distance } from 'fastest-levenshtein'
import { printable } from './printable.ts'

/** `; did you mean "timeout"?` when a known name is near, else an empty text. */
export function didYouMean(written: string, known: readonly string[]): string {
  const near = nearest(written, known)
  return near === undefined ? '' : `; did you mean "${printable(near)}"?`
}

/** Names that are compared at most: a file of thousands of unknown names should not take minutes. */
const CANDIDATES = 200

/** The known name that was probably meant. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  const word = written.slice(0, 100)
  if (known.length === 0) return undefined
  const candidate = closest(word, known.slice(0, CANDIDATES))
  const allowed = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3))
  return distance(word, candidate) <= allowed ? candidate : undefined
}
