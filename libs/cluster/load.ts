import { open, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ClusterFileError, wholeFile } from './errors.ts'
import type { Cluster } from './model.ts'
import { MAX_FILE_BYTES, parseCluster } from './parse.ts'
import { isResolved, parseResolved } from './resolved.ts'

/** A resolved cluster repeats every default for every agent type, so it may be larger than what it came from. */
const MAX_RESOLVED_BYTES = 16 * MAX_FILE_BYTES

/**
 * The cluster that a file describes: YAML or JSON5 by its ending, or a resolved cluster.
 * @throws ClusterFileError with everything that is wrong
 */
export async function loadCluster(file: string): Promise<Cluster> {
  const { text, path } = await read(file)
  if (isResolved(text)) return parseResolved(text, file)
  const cluster = parseCluster(text, { file, root: dirname(path) })
  return { ...cluster, file: path }
}

async function read(file: string): Promise<{ text: string; path: string }> {
  try {
    const path = await realpath(file)
    await using handle = await open(path, 'r')
    const about = await handle.stat()
    if (!about.isFile()) throw wrong(file, 'is no file')
    if (about.size > MAX_RESOLVED_BYTES) throw wrong(file, 'is larger than 1 MiB')
    return { text: decode(await handle.readFile(), file), path }
  } catch (error) {
    if (error instanceof ClusterFileError) throw error
    const code = (error as NodeJS.ErrnoException).code
    throw wrong(file, code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`, error)
  }
}

function decode(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw wrong(file, 'is not UTF-8', cause)
  }
}

const wrong = (file: string, message: string, cause?: unknown) =>
  new ClusterFileError(file, [wholeFile(message)], { cause })
