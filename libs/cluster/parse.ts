import { basename, dirname, extname, resolve } from 'node:path'
import { ClusterFileError, type Problem, wholeFile } from './errors.ts'
import { disk, type Files, findHandlers } from './handlers.ts'
import { findLeaks } from './leaks.ts'
import type { Cluster } from './model.ts'
import { checkRelations } from './relations/index.ts'
import { resolveCluster } from './resolve.ts'
import { checkShape } from './schema/shape.ts'
import { readJson5 } from './source/json5.ts'
import type { Node } from './source/tree.ts'
import { readYaml } from './source/yaml.ts'

/** Largest cluster file, in bytes. */
export const MAX_FILE_BYTES = 2 ** 20

/** Endings that a cluster file may have. */
const READERS: Record<string, typeof readYaml> = {
  '.yaml': readYaml,
  '.yml': readYaml,
  '.json5': readJson5,
  '.json': readJson5,
}

/** Where a text comes from. */
export interface ParseOptions {
  /** As errors show it; its ending decides between YAML and JSON5. */
  file: string
  /** Realpath of the folder that handlers and commands must lie in. Default: the folder of `file`. */
  root?: string
  /** Default: the machine's disk. */
  files?: Files
}

/**
 * Reads, checks and completes the text of a cluster file.
 * @throws ClusterFileError with everything that is wrong, in the order of the file
 */
export function parseCluster(text: string, { file, root, files = disk }: ParseOptions): Cluster {
  const place = { file: resolve(file), root: root ?? dirname(resolve(file)) }
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text
  const read = readSource(source, file)
  const leaks = findLeaks(source, read.root)
  if (!read.root) throw new ClusterFileError(file, [...read.problems, ...leaks])
  const { content, problems } = checkShape(read.root)
  const found = findHandlers(content, read.root, { root: place.root, files })
  const relations = checkRelations(content, read.root)
  const all = unlessLeaked([...read.problems, ...problems, ...relations, ...found.problems], leaks)
  if (all.length > 0) throw new ClusterFileError(file, all)
  return resolveCluster(content, { ...place, handlers: found.handlers, commands: found.commands })
}

function readSource(text: string, file: string): { root?: Node; problems: Problem[] } {
  const reader = READERS[extname(file).toLowerCase()]
  if (!reader)
    return unreadable(
      `expected a name that ends in ${Object.keys(READERS).join(', ')}, got ${basename(file)}`,
    )
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) return unreadable('is larger than 1 MiB')
  if (text.trim() === '') return unreadable('is empty')
  const read = reader(text)
  if (!read.root || read.root.kind === 'map') return read
  const { root } = read
  if (root.kind === 'scalar' && root.value === null && read.problems.length === 0)
    return unreadable('is empty')
  return {
    problems: [
      ...read.problems,
      { ...root.place, path: '', message: 'expected a mapping of keys such as agents' },
    ],
  }
}

/** What holds a secret value is reported as that and nothing else: it need not also be an unknown key. */
function unlessLeaked(problems: Problem[], leaks: Problem[]): Problem[] {
  const paths = new Set(leaks.map(({ path }) => path))
  return [...problems.filter(({ path }) => path === '' || !paths.has(path)), ...leaks]
}

const unreadable = (message: string) => ({ problems: [wholeFile(message)] })
