import { realpathSync, statSync } from 'node:fs'
import { extname, isAbsolute, relative, resolve, sep } from 'node:path'
import type { Problem } from './errors.ts'
import type { FileContent } from './schema/file.ts'
import { quote } from './source/printable.ts'
import { type Node, placeOf } from './source/tree.ts'

const ENDINGS = ['.ts', '.mts', '.js', '.mjs']

/** What the check of handlers needs of a disk. */
export interface Files {
  /** The path with all symbolic links resolved. Throws when there is nothing. */
  realpath(path: string): string
  isFile(path: string): boolean
}

/** The machine's disk. */
export const disk: Files = {
  realpath: (path) => realpathSync.native(path),
  isFile: (path) => statSync(path).isFile(),
}

/** Finds every handler, which must be a file of code inside `root` after all links are resolved. */
export function findHandlers(
  content: FileContent,
  tree: Node,
  { root, files }: { root: string; files: Files },
) {
  const handlers = new Map<string, string>()
  const problems: Problem[] = []
  for (const [name, { handler }] of Object.entries(content.agents ?? {})) {
    if (handler === undefined) continue
    const found = findHandler(handler, root, files)
    if ('path' in found) handlers.set(name, found.path)
    else
      problems.push({
        ...placeOf(tree, ['agents', name, 'handler']),
        path: `agents.${name}.handler`,
        message: found.fault,
      })
  }
  return { handlers, problems }
}

function findHandler(handler: string, root: string, files: Files): { path: string } | { fault: string } {
  const asked = resolve(root, handler)
  if (handler.includes('\0') || !isInside(root, asked)) return { fault: outside(handler) }
  try {
    const path = files.realpath(asked)
    if (!isInside(root, path)) return { fault: outside(handler) }
    if (!ENDINGS.includes(extname(path)))
      return { fault: `expected a ${ENDINGS.join(', ')} file, got ${quote(handler)}` }
    return files.isFile(path) ? { path } : { fault: `expected a file, got ${quote(handler)}, which is none` }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const why = code === 'ENOENT' || code === 'ENOTDIR' ? 'no such file' : `cannot be read (${code})`
    return { fault: `${why}: ${quote(handler)}` }
  }
}

const outside = (handler: string) => `expected a path inside the folder of this file, got ${quote(handler)}`

function isInside(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}
