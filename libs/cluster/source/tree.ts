import type { Problem } from '../errors.ts'

/** Line and column, both from 1. */
export interface Place {
  line: number
  column: number
}

/** What a file holds, with the place of everything: the same for YAML and JSON5. */
export type Node =
  | { kind: 'map'; place: Place; entries: Map<string, Entry> }
  | { kind: 'list'; place: Place; items: Node[] }
  | { kind: 'scalar'; place: Place; value: unknown }

/** One key of a mapping. */
export interface Entry {
  keyPlace: Place
  node: Node
}

/** What a reader makes of a text. `root` is absent where the text cannot be read at all. */
export interface Parsed {
  root?: Node
  problems: Problem[]
}

/** Nesting and size that a cluster file never needs; they bound recursion and aliases. */
export const MAX_DEPTH = 32
export const MAX_NODES = 50_000

/** The plain value of a node. Objects have no prototype, so that no key of a file means more than it says. */
export function valueOf(node: Node): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(valueOf)
  const object = Object.create(null) as Record<string, unknown>
  for (const [key, entry] of node.entries) object[key] = valueOf(entry.node)
  return object
}

/** The place of what a path leads to; where a part of it is not in the file, the key that it is missing under. */
export function placeOf(root: Node, path: readonly PropertyKey[]): Place {
  let node = root
  let place = root.place
  for (const key of path) {
    const next = step(node, key)
    if (!next) return node.kind === 'map' ? place : node.place
    place = next.keyPlace
    node = next.node
  }
  return path.length > 0 && node.kind !== 'map' ? node.place : place
}

/** The place of the last key of a path. */
export function keyPlaceOf(root: Node, path: readonly PropertyKey[]): Place {
  const parent = nodeAt(root, path.slice(0, -1))
  return (parent && step(parent, path.at(-1)!)?.keyPlace) ?? placeOf(root, path)
}

/** The node that a path leads to. */
export function nodeAt(root: Node, path: readonly PropertyKey[]): Node | undefined {
  let node: Node | undefined = root
  for (const key of path) node = node && step(node, key)?.node
  return node
}

/** Keys of the mapping at a path; none when there is no mapping. */
export function keysAt(root: Node, path: readonly PropertyKey[]): string[] {
  const node = nodeAt(root, path)
  return node?.kind === 'map' ? [...node.entries.keys()] : []
}

/** Calls `visit` for every scalar, with its path, and the key's place when it stands in a mapping. */
export function walk(node: Node, visit: (path: PropertyKey[], node: Node) => void, path: PropertyKey[] = []) {
  visit(path, node)
  if (node.kind === 'list') node.items.forEach((item, index) => walk(item, visit, [...path, index]))
  if (node.kind === 'map') for (const [key, entry] of node.entries) walk(entry.node, visit, [...path, key])
}

function step(node: Node, key: PropertyKey): Entry | undefined {
  if (node.kind === 'map') return node.entries.get(String(key))
  const item = node.kind === 'list' && typeof key === 'number' ? node.items[key] : undefined
  return item && { keyPlace: item.place, node: item }
}
