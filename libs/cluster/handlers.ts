import { realpathSync, statSync } from 'node:fs'
import { extname, isAbsolute, relative, resolve, sep } from 'node:path'
import type { Problem } from './errors.ts'
import type { FileContent } from './schema/file.ts'
import { quote } from './source/printable.ts'
import { type Node, placeOf } from './source/tree.ts'

const ENDINGS = ['.ts', '.mts', '.js', '.mjs']

/** What the check of files that are named needs of a disk. */
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

/** Finds every handler, which must be a file of code, and every command, inside `root` after all links are resolved. */
export function findHandlers(
  content: FileContent,
  tree: Node,
  { root, files }: { root: string; files: Files },
) {
  const problems: Problem[] = []
  const find = (into: Map<string, string>, at: string[], { file, endings }: Named) => {
    const found = findFile(file, { root, files, endings })
    if ('path' in found) into.set(at[1]!, found.path)
    else problems.push({ ...placeOf(tree, at), path: at.join('.'), message: found.fault })
  }
  const handlers = new Map<string, string>()
  for (const [name, { handler }] of Object.entries(content.agents ?? {}))
    if (handler !== undefined)
      find(handlers, ['agents', name, 'handler'], { file: handler, endings: ENDINGS })
  const commands = new Map<string, string>()
  for (const [name, { rotate }] of Object.entries(content.secrets ?? {}))
    if (rotate?.command !== undefined)
      find(commands, ['secrets', name, 'rotate', 'command'], { file: rotate.command })
  return { handlers, commands, problems }
}

/** A file as it is named; without endings, any. */
interface Named {
  file: string
  endings?: readonly string[]
}

function findFile(
  file: string,
  { root, files, endings }: { root: string; files: Files; endings: readonly string[] | undefined },
): { path: string } | { fault: string } {
  const asked = resolve(root, file)
  if (file.includes('\0') || !isInside(root, asked)) return { fault: outside(file) }
  try {
    const path = files.realpath(asked)
    if (!isInside(root, path)) return { fault: outside(file) }
    if (endings && !endings.includes(extname(path)))
      return { fault: `expected a ${endings.join(', ')} file, got ${quote(file)}` }
    return files.isFile(path) ? { path } : { fault: `expected a file, got ${quote(file)}, which is none` }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const why = code === 'ENOENT' || code === 'ENOTDIR' ? 'no such file' : `cannot be read (${code})`
    return { fault: `${why}: ${quote(file)}` }
  }
}

const outside = (file: string) => `expected a path inside the folder of this file, got ${quote(file)}`

function isInside(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}
