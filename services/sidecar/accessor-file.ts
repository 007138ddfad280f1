import { closeSync, constants, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'

/**
 * One accessor a line, ended by an empty one: what follows is of an older, longer list. The file is written over in place
 * and in one call, since its folder may not be ours, and it is never empty in between.
 */

/** The accessors; none where the file is absent. */
export function keptAccessors(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n\n', 1)[0]!.split('\n').filter(Boolean)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Keeps these, on disk before it returns. */
export function keepAccessors(file: string, accessors: string[]): void {
  const handle = openSync(file, constants.O_WRONLY | constants.O_CREAT, 0o600)
  try {
    writeSync(handle, `${accessors.join('\n')}\n\n`, 0)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
