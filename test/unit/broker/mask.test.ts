import { describe, expect, test } from 'vitest'
import { MASK, Masker } from '#lib/broker'

const VALUE = 'sk-ant/api+03"x~Zq9-Canary_0123'
const FORMS: Record<string, string> = {
  raw: VALUE,
  JSON: JSON.stringify(VALUE).slice(1, -1),
  URL: encodeURIComponent(VALUE),
  hex: Buffer.from(VALUE).toString('hex'),
  'upper hex': Buffer.from(VALUE).toString('hex').toUpperCase(),
}

describe('I7: what comes back is searched for the injected value', () => {
  test.each(Object.entries(FORMS))('%s', (_, form) =>
    expect(new Masker([VALUE]).text(`a ${form} b`)).toBe(`a ${MASK} b`),
  )

  test.each([0, 1, 2])('base64 and base64url at offset %i', (offset) => {
    for (const encoding of ['base64', 'base64url'] as const) {
      const encoded = Buffer.from(`${'u'.repeat(offset)}${VALUE}:tail`).toString(encoding)
      const masked = new Masker([VALUE]).text(encoded)
      expect(masked).toContain(MASK)
      expect(Buffer.from(masked.replace(MASK, ''), 'base64').toString('latin1')).not.toContain('Canary')
    }
  })

  test('no cut into chunks lets any part of it through', () => {
    const text = `before ${VALUE} between ${FORMS['hex']} after sk-ant`
    const whole = new Masker([VALUE]).text(text)
    for (let size = 1; size < text.length; size++) {
      const masker = new Masker([VALUE])
      let out = ''
      for (let at = 0; at < text.length; at += size)
        out += masker.push(Buffer.from(text.slice(at, at + size)))
      expect(out + masker.flush()).toBe(whole)
    }
    expect(whole).toBe(`before ${MASK} between ${MASK} after sk-ant`)
  })

  test('only what may begin a value is held back', () => {
    const masker = new Masker([VALUE])
    expect(masker.push(Buffer.from('hello sk-a')).toString()).toBe('hello ')
    expect(masker.push(Buffer.from('pple')).toString()).toBe('sk-apple')
  })

  test('a value with $& is replaced literally', () =>
    expect(new Masker(['pa$&$1word']).text('x pa$&$1word y')).toBe(`x ${MASK} y`))
})
