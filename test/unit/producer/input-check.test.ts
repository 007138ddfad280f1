import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { inputCheck } from '../../../services/producer/input-check.ts'

const check = (schema: z.ZodType, input: unknown) =>
  inputCheck(z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>)(input)

describe('an input is judged as zod would, by the JSON Schema that zod emits', () => {
  const order = z.strictObject({
    email: z.email(),
    lines: z.array(z.object({ sku: z.string().regex(/^[A-Z]{3}$/), count: z.int().positive() })).min(1),
    kind: z.enum(['new', 'old']).default('new'),
    note: z.string().nullish(),
    at: z.union([z.object({ t: z.literal('a') }), z.object({ t: z.literal('b') })]).optional(),
  })
  const good = { email: 'a@example.org', lines: [{ sku: 'ABC', count: 1 }] }

  test.each<[string, unknown]>([
    ['the least that fits', good],
    ['a default that is left out or given', { ...good, kind: 'old' }],
    ['null where it may be', { ...good, note: null }],
    ['the second of a union', { ...good, at: { t: 'b' } }],
  ])('%s fits', (_what, input) => expect(check(order, input)).toBeUndefined())

  test.each<[string, unknown, string]>([
    ['a pattern', { ...good, lines: [{ sku: 'abc', count: 1 }] }, 'input.lines[0].sku'],
    ['an address', { ...good, email: 'a@' }, 'input.email'],
    ['a number', { ...good, lines: [{ sku: 'ABC', count: 0 }] }, 'input.lines[0].count'],
    ['an empty list', { ...good, lines: [] }, 'input.lines'],
    ['an enum', { ...good, kind: 'odd' }, 'input.kind'],
    ['a union', { ...good, at: { t: 'c' } }, 'input.at.t'],
    ['no object', null, 'input'],
    ['a strange key', { ...good, 'a/b~"c': 1 }, 'input["a/b~\\"c"]'],
  ])('%s that does not fit is named', (_what, input, field) => {
    expect(check(order, input)?.field).toBe(field)
  })

  test('no schema takes anything', () => expect(inputCheck(null)({ any: [1] })).toBeUndefined())

  test('a recursive schema works', () => {
    const schema = { type: 'object', properties: { next: { $ref: '#' } }, additionalProperties: false }
    expect(inputCheck(schema)({ next: { next: {} } })).toBeUndefined()
    expect(inputCheck(schema)({ next: { nxt: {} } })?.field).toBe('input.next.nxt')
  })
})

const alternatives = (count: number) => ({ anyOf: Array.from({ length: count }, (_, n) => ({ const: n })) })

describe('no schema and no input can hold the producer up', () => {
  test('a schema that takes long to compile is refused in time, and at once the next time', () => {
    const schema = alternatives(13_000)
    const limits = { compileMs: 50, checkMs: 250 } // a fast machine compiles it within the default second
    expect(() => inputCheck(schema, limits)).toThrow('cannot be compiled')
    // Without a limit it would compile now: it is not tried again.
    expect(() => inputCheck(schema, { ...limits, compileMs: 60_000 })).toThrow('cannot be compiled')
  })

  test('many alternatives for each of many items are cut short', () => {
    const schema = { type: 'array', items: alternatives(500) }
    const judge = inputCheck(schema, { compileMs: 5000, checkMs: 50 })
    expect(judge(Array.from({ length: 400_000 }, () => 499))?.why).toMatch(/longer than 50 ms/)
  })

  test.each<[string, Record<string, unknown>, unknown]>([
    ['a pattern', { pattern: '^(a+)+$' }, `${'a'.repeat(60)}!`],
    ['a pattern over keys', { patternProperties: { '^(a+)+$': {} } }, { [`${'a'.repeat(60)}!`]: 1 }],
    ['a reference that doubles', doubling(), nested(40)],
    ['unique items', { uniqueItems: true }, Array.from({ length: 60_000 }, (_, n) => ({ n }))],
  ])('%s is cut short', (_what, schema, input) => {
    expect(inputCheck(schema)(input)).toMatchObject({
      field: 'input',
      why: expect.stringMatching(/longer than/),
    })
  })

  test('the check works again after it was cut short', () => {
    const judge = inputCheck({ type: 'string', pattern: '^(a+)+$' })
    expect(judge(`${'a'.repeat(60)}!`)).toBeDefined()
    expect(judge('aaa')).toBeUndefined()
    expect(judge('b')?.why).toMatch(/pattern/)
  })

  test('the same schema is compiled once', () => {
    expect(inputCheck({ type: 'string', maxLength: 3 })).toBe(inputCheck({ type: 'string', maxLength: 3 }))
  })
})

/** Judged twice at each level: two to the power of the depth. */
function doubling(): Record<string, unknown> {
  const deeper = { allOf: [{ properties: { next: { $ref: '#' } } }, { required: ['never'] }] }
  return { anyOf: [deeper, { ...deeper, title: 'b' }, { not: { type: 'object' } }] }
}

function nested(depth: number): object {
  return depth === 0 ? {} : { next: nested(depth - 1) }
}
