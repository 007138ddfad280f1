import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node as YamlNode,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml'
import type { Problem } from '../errors.ts'
import { pathText, printable } from './printable.ts'
import { type Entry, MAX_DEPTH, MAX_NODES, type Node, type Parsed, type Place } from './tree.ts'

/** Messages for what the parser would say in its own words, or with a piece of the file. */
const WORDS: Record<string, string> = {
  MULTIPLE_DOCS: 'expected one YAML document, got several',
  RESOURCE_EXHAUSTION: `nested deeper than ${MAX_DEPTH} levels`,
  TAB_AS_INDENT: 'expected spaces for indentation, got a tab',
}
const PLAIN_TAGS = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((tag) => `tag:yaml.org,2002:${tag}`),
)

/** Reads YAML 1.2 with the place of every node. Aliases count each time they are used, so they cannot explode. */
export function readYaml(text: string): Parsed {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error', // 'silent' would also hide that there are several documents
    version: '1.2',
  })
  const problems: Problem[] = document.errors.map((error) => ({
    ...placeAt(lines, error.pos[0]),
    path: '',
    message: WORDS[error.code] ?? `YAML: ${wordsOf(error.message)}`,
  }))
  if (document.directives?.yaml.version !== '1.2')
    problems.push({ line: 1, column: 1, path: '', message: 'expected YAML 1.2, got a %YAML directive' })
  if (problems.length > 0) return { problems }
  return new Reader(document, lines).read()
}

class Reader {
  readonly #document: Document
  readonly #lines: LineCounter
  readonly #problems: Problem[] = []
  #nodes = 0

  constructor(document: Document, lines: LineCounter) {
    this.#document = document
    this.#lines = lines
  }

  read(): Parsed {
    const contents = this.#document.contents
    const root = this.#node(contents, [], { line: 1, column: 1 })
    if (this.#nodes > MAX_NODES) return { problems: [tooLarge(root.place)] }
    return { root, problems: this.#problems }
  }

  #node(node: YamlNode | null, path: string[], parent: Place): Node {
    this.#nodes += 1
    const place = node?.range ? placeAt(this.#lines, node.range[0]) : parent
    const nothing: Node = { kind: 'scalar', place, value: null }
    if (this.#nodes > MAX_NODES || node === null) return nothing
    if (path.length > MAX_DEPTH) return this.#fail(path, place, `nested deeper than ${MAX_DEPTH} levels`)
    if (node.tag && !PLAIN_TAGS.has(node.tag))
      return this.#fail(path, place, 'tags are not used in a cluster file')
    if (isAlias(node)) return this.#alias(node.resolve(this.#document), path, place)
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#node(item as YamlNode | null, [...path, '[]'], place))
      return { kind: 'list', place, items }
    }
    if (isMap(node)) return this.#map(node, path, place)
    return isScalar(node) ? { kind: 'scalar', place, value: node.value } : nothing
  }

  #alias(target: YamlNode | undefined, path: string[], place: Place): Node {
    if (!target) return this.#fail(path, place, 'no anchor of this name')
    return { ...this.#node(target, [...path, '*'], place), place }
  }

  #map(map: YAMLMap, path: string[], place: Place): Node {
    const entries = new Map<string, Entry>()
    for (const pair of map.items)
      this.#entry(pair as Pair<YamlNode | null, YamlNode | null>, path, { entries, place })
    return { kind: 'map', place, entries }
  }

  #entry(
    pair: Pair<YamlNode | null, YamlNode | null>,
    path: string[],
    to: { entries: Map<string, Entry>; place: Place },
  ): void {
    const at = pair.key?.range ? placeAt(this.#lines, pair.key.range[0]) : to.place
    if (!isScalar(pair.key) || pair.key.value === null || typeof pair.key.value === 'object')
      return this.#refuse(path, at, 'expected a plain key')
    const key = `${pair.key.value as string | number | boolean}`
    const below = [...path, key]
    if (key === '__proto__') return this.#refuse(below, at, 'may not be used as a key')
    if (to.entries.has(key)) this.#refuse(below, at, 'is written twice')
    const node = this.#node(pair.value, below, at)
    to.entries.set(key, { keyPlace: at, node })
  }

  #fail(path: string[], place: Place, message: string): Node {
    this.#refuse(path, place, message)
    return { kind: 'scalar', place, value: null }
  }

  #refuse(path: string[], place: Place, message: string): void {
    const shown = path.filter((key) => key !== '[]' && key !== '*')
    if (this.#problems.length < 1000) this.#problems.push({ ...place, path: pathText(shown), message })
  }
}

const tooLarge = (place: Place) => ({ ...place, path: '', message: `holds more than ${MAX_NODES} values` })

/** The parser's words up to the colon: a piece of the file may follow, and that may be a secret. */
const wordsOf = (message: string) => printable(message.split(/[:\n]/)[0]!, 200)

function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}
