import { Scanner } from './hcl-scanner.ts'

/** A parsed HCL body. A key that is given twice keeps both values, in order. */
export interface HclBody {
  entries: HclEntry[]
}
/** `key = value`, or a block `key "label" { … }`. */
export interface HclEntry {
  key: string
  labels: string[]
  value: HclValue
  line: number
}
export type HclValue = string | number | boolean | HclValue[] | HclBody

/** The text is not HCL; says where. */
export class HclSyntaxError extends Error {
  override readonly name = 'HclSyntaxError'
}

/** How deep lists and objects may nest; a policy needs three levels. */
const MAX_DEPTH = 16

/**
 * Parses the part of HCL 1 that policies use: assignments, blocks with labels, strings, heredocs, numbers, booleans,
 * lists, objects and the three kinds of comment. Interpolation is plain text, as Vault treats it in policies.
 * @throws HclSyntaxError with the line
 */
export function parseHcl(text: string): HclBody {
  const scanner = new Scanner(text)
  const body = parseBody(scanner, 'end', 0)
  return body
}

/** True for an object or a block. */
export function isHclBody(value: HclValue): value is HclBody {
  return typeof value === 'object' && !Array.isArray(value)
}

function parseBody(scanner: Scanner, end: 'end' | '}', depth: number): HclBody {
  if (depth > MAX_DEPTH) throw scanner.error('nested too deeply')
  const entries: HclEntry[] = []
  for (;;) {
    const token = scanner.next()
    if (token.kind === end) return { entries }
    if (token.kind === ',') continue
    if (token.kind !== 'word' && token.kind !== 'string')
      throw scanner.error(`expected a key, found ${token.kind}`)
    entries.push(parseEntry(scanner, token.text, depth))
  }
}

function parseEntry(scanner: Scanner, key: string, depth: number): HclEntry {
  const labels: string[] = []
  const line = scanner.line
  for (;;) {
    const token = scanner.next()
    if (token.kind === 'string' || token.kind === 'word') labels.push(token.text)
    else if (token.kind === '{') return { key, labels, value: parseBody(scanner, '}', depth + 1), line }
    else if (token.kind === '=' && labels.length === 0)
      return { key, labels, value: parseValue(scanner, depth), line }
    else throw scanner.error(`expected "=" or "{" after ${JSON.stringify(key)}, found ${token.kind}`)
  }
}

function parseValue(scanner: Scanner, depth: number): HclValue {
  const token = scanner.next()
  if (token.kind === 'string') return token.text
  if (token.kind === '{') return parseBody(scanner, '}', depth + 1)
  if (token.kind === '[') return parseList(scanner, depth + 1)
  if (token.kind === 'word') return parseLiteral(scanner, token.text)
  throw scanner.error(`expected a value, found ${token.kind}`)
}

function parseList(scanner: Scanner, depth: number): HclValue[] {
  if (depth > MAX_DEPTH) throw scanner.error('nested too deeply')
  const values: HclValue[] = []
  for (;;) {
    if (scanner.peek().kind === ']') {
      scanner.next()
      return values
    }
    values.push(parseValue(scanner, depth))
    const after = scanner.next()
    if (after.kind === ']') return values
    if (after.kind !== ',') throw scanner.error(`expected "," or "]" in a list, found ${after.kind}`)
  }
}

function parseLiteral(scanner: Scanner, word: string): HclValue {
  if (word === 'true') return true
  if (word === 'false') return false
  if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(word)) return Number(word)
  throw scanner.error(`unknown value ${JSON.stringify(word)}`)
}
