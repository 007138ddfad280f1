import JSON5 from 'json5'
import type { Problem } from '../errors.ts'
import { pathText, printable } from './printable.ts'
import { type Entry, MAX_DEPTH, MAX_NODES, type Node, type Parsed, type Place } from './tree.ts'

/** Reads JSON5 with the place of every node: the library judges the syntax, the scanner only finds places. */
export function readJson5(text: string): Parsed {
  try {
    JSON5.parse(text)
  } catch (error) {
    const { lineNumber = 1, columnNumber = 1 } = error as { lineNumber?: number; columnNumber?: number }
    const said = printable((error as Error).message.replace(/^JSON5: /, '').replace(/ at \d+:\d+$/, ''), 100)
    const place = { line: lineNumber, column: Math.max(columnNumber, 1) }
    return { problems: [{ ...place, path: '', message: `JSON5: ${said}` }] }
  }
  const scanner = new Scanner(text)
  const root = scanner.value([])
  return scanner.exhausted ? { problems: scanner.problems } : { root, problems: scanner.problems }
}

/** Walks over text that is known to be JSON5. */
class Scanner {
  readonly problems: Problem[] = []
  /** The file is too deep or too large to go on. */
  exhausted = false
  readonly #text: string
  readonly #lineStarts = [0]
  #at = 0
  #nodes = 0

  constructor(text: string) {
    this.#text = text
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#lineStarts.push(at + 1)
  }

  value(path: string[]): Node {
    const place = this.#place()
    this.#nodes += 1
    if (path.length > MAX_DEPTH || this.#nodes > MAX_NODES) return this.#giveUp(place)
    const first = this.#text[this.#at]
    if (first === '{') return this.#map(path, place)
    if (first === '[') return this.#list(path, place)
    return { kind: 'scalar', place, value: JSON5.parse(this.#token()) }
  }

  #map(path: string[], place: Place): Node {
    const entries = new Map<string, Entry>()
    for (this.#at += 1; this.#more('}');) {
      const keyPlace = this.#place()
      const key = Object.keys(JSON5.parse<object>(`{${this.#token()}:0}`))[0]!
      this.#skip(':')
      const below = [...path, key]
      if (entries.has(key)) this.#fail(below, keyPlace, 'is written twice')
      const node = this.value(below)
      if (key === '__proto__') this.#fail(below, keyPlace, 'may not be used as a key')
      else entries.set(key, { keyPlace, node })
    }
    return { kind: 'map', place, entries }
  }

  #list(path: string[], place: Place): Node {
    const items: Node[] = []
    for (this.#at += 1; this.#more(']');) items.push(this.value([...path, '[]']))
    return { kind: 'list', place, items }
  }

  /** True while another entry follows; steps over commas, and over the closing bracket when there is none. */
  #more(close: string): boolean {
    if (this.exhausted) return false
    this.#skip(',')
    if (this.#text[this.#at] !== close) return this.#at < this.#text.length
    this.#at += 1
    return false
  }

  /** A string, number, word or identifier as it is written. */
  #token(): string {
    const token = /"(?:\\[^]|[^"\\]+)*"|'(?:\\[^]|[^'\\]+)*'|[^\s,:{}[\]"'/]+/y
    token.lastIndex = this.#at
    const text = token.exec(this.#text)?.[0] ?? ''
    this.#at += text.length
    return text
  }

  /** Steps over space and comments, and over one `mark` between them. */
  #skip(mark?: string): void {
    this.#skipSpace()
    if (mark === undefined || this.#text[this.#at] !== mark) return
    this.#at += 1
    this.#skipSpace()
  }

  #skipSpace(): void {
    for (let start = -1; start !== this.#at;) {
      start = this.#at
      for (const pattern of [/\s+/y, /\/\/[^\n\r\u2028\u2029]*/y, /\/\*[^]*?\*\//y]) {
        pattern.lastIndex = this.#at
        if (pattern.test(this.#text)) this.#at = pattern.lastIndex
      }
    }
  }

  #place(): Place {
    this.#skip()
    let [low, high] = [0, this.#lineStarts.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#lineStarts[middle]! <= this.#at) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: this.#at - this.#lineStarts[low]! + 1 }
  }

  #giveUp(place: Place): Node {
    const limit =
      this.#nodes > MAX_NODES
        ? `holds more than ${MAX_NODES} values`
        : `nested deeper than ${MAX_DEPTH} levels`
    if (!this.exhausted) this.problems.push({ ...place, path: '', message: limit })
    this.exhausted = true
    return { kind: 'scalar', place, value: null }
  }

  #fail(path: string[], place: Place, message: string): void {
    const shown = path.filter((key) => key !== '[]')
    if (this.problems.length < 1000) this.problems.push({ ...place, path: pathText(shown), message })
  }
}
