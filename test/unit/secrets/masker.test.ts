import { describe, expect, test } from 'vitest'
import { MASK, Masker, maskJson, Patterns } from '#lib/secrets'
import { formsOf } from '../../../libs/secrets/redaction/forms.ts'

const VALUE = 'sk-ant/api+03"x~Zq9-Canary_0123'
const HEX = Buffer.from(VALUE).toString('hex')
const FORMS: Record<string, string> = {
  raw: VALUE,
  JSON: JSON.stringify(VALUE).slice(1, -1),
  'JSON in JSON': JSON.stringify(JSON.stringify(VALUE)).slice(3, -3),
  'JSON of a cautious encoder': VALUE.replaceAll(/[^]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`),
  URL: encodeURIComponent(VALUE),
  'URL of a form': new URLSearchParams({ v: VALUE }).toString().slice(2),
  'URL with every byte escaped': HEX.replaceAll(/../g, '%$&'),
  'type of an error': VALUE.replaceAll(/[^\w.:/-]+/g, '-'),
  hex: HEX,
  'upper hex': HEX.toUpperCase(),
  'mixed hex': HEX.replaceAll(/[a-f](?=.[a-f0-9]*5)/g, (c) => c.toUpperCase()),
}

function masking(...values: string[]) {
  const patterns = new Patterns()
  for (const value of values) patterns.add(value.slice(0, 3), value)
  const hits: string[] = []
  return { hits, patterns, make: () => new Masker(patterns, (name) => hits.push(name)) }
}

const keyMasker = () => new Masker(new Patterns({ keyShapes: true }))
const mask = (value: unknown) => maskJson(value, masking(VALUE, '31337313373133').make())

/** What comes out of a stream that gets the bytes in pieces of these sizes, over and over. */
function cut(masker: Masker, bytes: Buffer, sizes: number[]): string {
  const out: Buffer[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!
    out.push(masker.push(bytes.subarray(at, at + size)))
    at += size
  }
  return Buffer.concat([...out, masker.flush()]).toString()
}

describe('I7: what comes out is searched for live values', () => {
  test.each(Object.entries(FORMS))('%s', (_, form) =>
    expect(masking(VALUE).make().text(`a ${form} b`)).toBe(`a ${MASK} b`),
  )

  test.each([0, 1, 2])('base64 and base64url at offset %i', (offset) => {
    for (const encoding of ['base64', 'base64url'] as const) {
      const encoded = Buffer.from(`${'u'.repeat(offset)}${VALUE}:tail`).toString(encoding)
      const masked = masking(VALUE).make().text(encoded)
      expect(masked).toContain(MASK)
      expect(Buffer.from(masked.replace(MASK, ''), 'base64').toString('latin1')).not.toContain('Canary')
    }
  })

  test('no cut into chunks lets any part of it through', () => {
    const text = Buffer.from(`before ${VALUE} between ${HEX} after sk-ant`)
    for (let size = 1; size < text.length; size++)
      expect(cut(masking(VALUE).make(), text, [size])).toBe(`before ${MASK} between ${MASK} after sk-ant`)
  })

  test('only what may begin a value is held back', () => {
    const masker = masking(VALUE).make()
    expect(masker.push(Buffer.from('hello sk-a')).toString()).toBe('hello ')
    expect(masker.push(Buffer.from('pple')).toString()).toBe('sk-apple')
  })

  test('a value with $& is replaced literally', () =>
    expect(masking('pa$&$1word').make().text('x pa$&$1word y')).toBe(`x ${MASK} y`))

  test('of values that overlap nothing is left, and each is told by its name', () => {
    const { make, hits } = masking('abcdefgh', 'fghijklm', 'cdefgh')
    expect(make().text('x abcdefghijklm y')).toBe(`x ${MASK} y`)
    expect(hits).toEqual(['abc', 'fgh'])
  })

  test('a value that is added in the middle of a stream is found from then on', () => {
    const { make, patterns } = masking()
    const masker = make()
    expect(masker.push(Buffer.from(VALUE)).toString()).toBe(VALUE)
    patterns.add('late', VALUE)
    expect(cut(masker, Buffer.from(`${VALUE}!`), [5])).toBe(`${MASK}!`)
  })

  test('a text without a value comes back as it is, not copied', () => {
    const bytes = Buffer.from('nothing to see here')
    expect(masking(VALUE).make().push(bytes)).toBe(bytes)
  })
})

describe('keys of well-known services', () => {
  test.each([
    `sk-${'aB3'.repeat(8)}`,
    `sk-ant-api03-${'x_-9'.repeat(20)}`,
    `ghp_${'a1B2'.repeat(9)}`,
    `ghs_${'a1B2'.repeat(9)}`,
    'AKIAIOSFODNN7EXAMPLE',
    `hvs.${'CAES'.repeat(6)}`,
  ])('%s is masked though nobody gave it to the attempt, however it is cut', (key) => {
    const text = Buffer.from(`key="${key}", next ${key}`)
    for (let size = 1; size <= text.length; size++)
      expect(cut(keyMasker(), text, [size])).toBe(`key="${MASK}", next ${MASK}`)
  })

  test.each([
    'sk-short',
    'a task-of-very-many-words-in-one-line',
    'AKIAIOSFO',
    'xAKIAIOSFODNN7EXAMPLE',
    'hvs.',
    'ghp_ and ghs_',
  ])('%j is no key', (text) => {
    for (const size of [1, 3, 100]) expect(cut(keyMasker(), Buffer.from(text), [size])).toBe(text)
  })
})

describe('a JSON value', () => {
  test('is masked in strings, keys and numbers, and stays JSON', () =>
    expect(mask({ a: [`x${VALUE}`, { [VALUE]: 1 }], n: 31337313373133, ok: [true, null, 5] })).toEqual({
      a: [`x${MASK}`, { [MASK]: 1 }],
      n: MASK,
      ok: [true, null, 5],
    }))

  test('without a value comes back as it is', () => {
    const value = { a: [1, 'two', { three: null }] }
    expect(mask(value)).toBe(value)
  })

  test('with a key __proto__ keeps it a key', () => {
    const masked = mask(JSON.parse(`{"__proto__":{"x":${JSON.stringify(VALUE)}}}`)) as object
    expect(JSON.stringify(masked)).toBe(`{"__proto__":{"x":"${MASK}"}}`)
  })
})

const ALPHABETS = ['ab', 'abc"\\/', 'aB3+/=-_', 'é€𝄞ab', "x%2F'()&"]
/** A seeded generator, so that a failure can be seen again. */
function generator(seed: number) {
  let state = seed
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % limit
  }
  const pick = <T>(from: readonly T[]) => from[below(from.length)]!
  const word = (least: number) =>
    Array.from({ length: least + below(12) }, () => pick(Array.from(pick(ALPHABETS)))).join('')
  return { below, pick, word }
}

/** What should come out, found the slow way: a mask for every stretch of bytes that any form of any value covers. */
function expected(values: string[], bytes: Buffer): string {
  const marks = Array.from<boolean>({ length: bytes.length }).fill(false)
  const lower = Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte)))
  for (const { bytes: form, anyCase } of values.flatMap(formsOf)) {
    const text = anyCase ? lower : bytes
    for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1))
      marks.fill(true, at, at + form.length)
  }
  const pieces = marks.map((isCovered, at) => {
    if (!isCovered) return bytes.subarray(at, at + 1)
    return Buffer.from(marks[at - 1] ? '' : MASK)
  })
  return Buffer.concat(pieces).toString()
}

describe('for any values and any cut', () => {
  test.each(Array.from({ length: 300 }, (_, seed) => seed + 1))('seed %i', (seed) => {
    const { below, pick, word } = generator(seed)
    const values = Array.from({ length: 1 + below(3) }, () => word(6))
    const forms = values.flatMap(formsOf).map(({ bytes }) => bytes)
    const pieces = Array.from({ length: 20 }, () => {
      const form = pick(forms)
      const edge = below(form.length)
      return pick([form, form.subarray(0, edge), form.subarray(edge), Buffer.from(word(1))])
    })
    const bytes = Buffer.concat(pieces)
    const sizes = Array.from({ length: 5 }, () => 1 + below(9))
    const out = cut(masking(...values).make(), bytes, sizes)
    expect(out.replaceAll(/(?:\[masked\])+/g, MASK)).toBe(expected(values, bytes))
  })
})
