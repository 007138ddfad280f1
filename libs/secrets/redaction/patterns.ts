import { type Form, formsOf } from './forms.ts'
import { isKeyByte, KEY_SHAPES, type KeyShape } from './key-shapes.ts'

/** Something that was found, and how many bytes it covers. */
export interface Match {
  name: string
  length: number
  /** It is a key's shape and reaches the end of the bytes: what follows may belong to it. */
  goesOn: boolean
}

/** Where and how to look. */
interface Place {
  bytes: Buffer
  at: number
  /** Nothing follows these bytes. */
  isLast: boolean
}

type Named = Form & { name: string }

/**
 * What to search for: values in all their forms, and the shapes of well-known keys if they are wanted. Two bytes decide
 * in one look whether anything can begin at a place, so that text without secrets costs little.
 */
export class Patterns {
  readonly #byPair = new Map<number, (Named | KeyShape)[]>()
  /** A bit for every two bytes that something begins with: 8 KiB, since the broker makes one for each call. */
  readonly #pairs = new Uint8Array(65_536 / 8)
  readonly #firsts = new Uint8Array(256)
  readonly #known = new Set<string>()

  /** `keyShapes`: look for keys of well-known services too. */
  constructor({ keyShapes = false }: { keyShapes?: boolean } = {}) {
    for (const shape of keyShapes ? KEY_SHAPES : []) this.#index(shape.prefix, false, shape)
  }

  /** Searches for a value from now on. `name` is what a hit is called; adding a value twice changes nothing. */
  add(name: string, value: string): void {
    if (this.#known.has(value)) return
    this.#known.add(value)
    for (const form of formsOf(value)) this.#index(form.bytes, form.anyCase, { ...form, name })
  }

  /**
   * The longest that begins at this place; `wait` when only bytes that have not come can tell. `before` is the byte in
   * front of the place: a key's shape in the middle of a word is none.
   */
  at(place: Place, before: number | undefined): Match | 'wait' | undefined {
    const { bytes, at, isLast } = place
    if (at + 1 >= bytes.length) return !isLast && this.#firsts[bytes[at]!] ? 'wait' : undefined
    const pair = (bytes[at]! << 8) | bytes[at + 1]!
    if (!(this.#pairs[pair >> 3]! & (1 << (pair & 7)))) return undefined
    let value: Match | undefined
    let key: Match | undefined
    for (const candidate of this.#byPair.get(pair)!) {
      const isShape = 'prefix' in candidate
      const found = isShape ? keyAt(candidate, place, before) : formAt(candidate, place)
      if (found === 'wait') return 'wait'
      if (isShape) key ??= found
      else if (found && found.length > (value?.length ?? 0)) value = found
    }
    if (!key || !value) return value ?? key
    return key.length > value.length ? { ...key, name: value.name } : value
  }

  #index(bytes: Buffer, anyCase: boolean, pattern: Named | KeyShape): void {
    for (const first of cases(bytes[0]!, anyCase))
      for (const second of cases(bytes[1]!, anyCase)) {
        const pair = (first << 8) | second
        this.#firsts[first] = 1
        this.#pairs[pair >> 3]! |= 1 << (pair & 7)
        this.#byPair.set(pair, [...(this.#byPair.get(pair) ?? []), pattern])
      }
  }
}

function formAt({ name, bytes: form, anyCase }: Named, { bytes, at, isLast }: Place) {
  const length = Math.min(form.length, bytes.length - at)
  for (let i = 0; i < length; i++) {
    const byte = bytes[at + i]!
    if (byte !== form[i] && !(anyCase && isUpper(byte) && (byte | 0x20) === form[i])) return undefined
  }
  if (length < form.length) return isLast ? undefined : 'wait'
  return { name, length, goesOn: false }
}

function keyAt({ name, prefix, least }: KeyShape, { bytes, at, isLast }: Place, before: number | undefined) {
  if (isKeyByte(before)) return undefined
  const begun = bytes.subarray(at, at + prefix.length)
  if (!prefix.subarray(0, begun.length).equals(begun)) return undefined
  const end = keyEnd(bytes, at + prefix.length)
  const goesOn = end >= bytes.length && !isLast
  if (end - at - prefix.length >= least) return { name, length: end - at, goesOn }
  return goesOn ? 'wait' : undefined
}

/** Where a run of a key's characters ends. */
export function keyEnd(bytes: Buffer, from: number): number {
  let end = from
  while (end < bytes.length && isKeyByte(bytes[end])) end++
  return end
}

const isUpper = (byte: number) => byte >= 0x41 && byte <= 0x5a
const isLower = (byte: number) => byte >= 0x61 && byte <= 0x7a
const cases = (byte: number, anyCase: boolean) => (anyCase && isLower(byte) ? [byte, byte & ~0x20] : [byte])
