import type { Problem } from './errors.ts'
import { findKeyMaterial, isSensitiveKey } from './source/key-material.ts'
import { pathText } from './source/printable.ts'
import { keyPlaceOf, type Node, walk } from './source/tree.ts'

const ADVICE =
  'a cluster file never holds a secret value: take it out, treat it as exposed, and store a new one with `threadbound secrets create`'

/** Secret values in a file, by their look or by the key that they stand under. Their text is never repeated. */
export function findLeaks(text: string, root: Node | undefined): Problem[] {
  const inTree = root ? leaksInTree(root) : []
  const lines = new Set(inTree.map((problem) => problem.line))
  const elsewhere = leaksInText(text).filter((problem) => !lines.has(problem.line))
  return [...inTree, ...elsewhere]
}

/** Decoded values and keys, whatever escapes the file wrote them with. */
function leaksInTree(root: Node): Problem[] {
  const problems: Problem[] = []
  walk(root, (path, node) => {
    const key = path.at(-1)
    const named =
      typeof key === 'string' && isSensitiveKey(key) && node.kind === 'scalar' && holdsText(node.value)
    const looks =
      node.kind === 'scalar' && typeof node.value === 'string' && findKeyMaterial(node.value) !== undefined
    if (named || looks) problems.push({ ...node.place, path: pathText(path), message: ADVICE })
    if (typeof key === 'string' && findKeyMaterial(key) !== undefined)
      problems.push({ ...keyPlaceOf(root, path), path: pathText(path), message: ADVICE })
  })
  return problems
}

/** Comments, and files that cannot be read as a tree. */
function leaksInText(text: string): Problem[] {
  return text.split('\n').flatMap((line, at) => {
    const column = findKeyMaterial(line)
    return column === undefined ? [] : [{ line: at + 1, column: column + 1, path: '', message: ADVICE }]
  })
}

const holdsText = (value: unknown) => value !== null && value !== '' && typeof value !== 'boolean'
