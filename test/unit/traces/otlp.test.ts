import { describe, expect, test } from 'vitest'
import { attributeText, OtlpError, parseOtlp } from '#lib/traces'
import { exportOf, SPAN, TRACE } from '../../support/otlp.ts'

const attributes = (value: unknown) =>
  parseOtlp(exportOf({ attributes: [{ key: 'a', value }] }))[0]!.attributes['a']

test.each([
  [{ stringValue: 'x' }, 'x'],
  [{ boolValue: false }, false],
  [{ intValue: '42' }, 42],
  [{ intValue: -7 }, -7],
  [{ intValue: '9223372036854775807' }, '9223372036854775807'],
  [{ doubleValue: 1.5 }, 1.5],
  [{ doubleValue: 'NaN' }, 'NaN'],
  [{ bytesValue: 'aGk=' }, 'aGk='],
  [{ arrayValue: { values: [{ stringValue: 'x' }, { intValue: 1 }] } }, ['x', 1]],
  [{ arrayValue: { values: [] } }, []],
  [{ kvlistValue: { values: [{ key: 'k', value: { boolValue: true } }] } }, { k: true }],
  [{}, null],
  [null, null],
  [undefined, null],
  [{ intValue: {} }, null],
  [{ arrayValue: null }, null],
  [{ futureValue: 1 }, null],
])('AnyValue %j is read as %j', (any, plain) => {
  expect(attributes(any)).toEqual(plain)
})

test('a key named __proto__ is a key like any other', () => {
  const value = { kvlistValue: { values: [{ key: '__proto__', value: { stringValue: 'x' } }] } }
  expect(Object.entries(attributes(value) as object)).toEqual([['__proto__', 'x']])
})

test('nesting past the limit is cut, not followed', () => {
  let value: unknown = { stringValue: 'deep' }
  for (let level = 0; level < 5000; level++) value = { arrayValue: { values: [value] } }
  expect(JSON.stringify(attributes(value))).toBe('[[[[[[[[[null]]]]]]]]]')
})

const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')

test('ids may be hex of any case or base64', () => {
  for (const ids of [
    { traceId: TRACE.toUpperCase(), spanId: SPAN.toUpperCase() },
    { traceId: base64(TRACE), spanId: base64(SPAN) },
  ])
    expect(parseOtlp(exportOf(ids))[0]).toMatchObject({ traceId: TRACE, spanId: SPAN })
})

test('an empty or zero parent is none', () => {
  for (const parentSpanId of ['', '0000000000000000', null, undefined])
    expect(parseOtlp(exportOf({ parentSpanId }))[0]).not.toHaveProperty('parentSpanId')
})

test('enums may be numbers or names', () => {
  for (const [kind, code] of [
    [5, 2],
    ['SPAN_KIND_CONSUMER', 'STATUS_CODE_ERROR'],
  ])
    expect(parseOtlp(exportOf({ kind, status: { code } }))[0]).toMatchObject({
      kind: 'consumer',
      status: 'error',
    })
  expect(parseOtlp(exportOf({ kind: 99, status: { code: 'x' } }))[0]).toMatchObject({
    kind: 'internal',
    status: 'unset',
  })
})

test('times keep their fractions of a millisecond, and an end before the start is the start', () => {
  const times = { startTimeUnixNano: '1790000000000250000', endTimeUnixNano: '1790000000000000000' }
  expect(parseOtlp(exportOf(times))[0]).toMatchObject({
    startMs: 1_790_000_000_000.25,
    endMs: 1_790_000_000_000.25,
  })
})

test('over-long texts and lists are cut', () => {
  const [span] = parseOtlp(
    exportOf({
      name: 'n'.repeat(9999),
      attributes: Array.from({ length: 500 }, (_, at) => ({
        key: `k${at}`,
        value: { stringValue: 'v'.repeat(9999) },
      })),
      links: Array.from({ length: 500 }, () => ({ traceId: TRACE, spanId: SPAN })),
      events: Array.from({ length: 500 }, () => ({ name: 'e', timeUnixNano: 1 })),
    }),
  )
  expect([
    span!.name.length,
    Object.keys(span!.attributes).length,
    attributeText(span!.attributes['k0']).length,
  ]).toEqual([257, 128, 4097])
  expect([span!.links.length, span!.events.length]).toEqual([32, 32])
})

describe('bad input', () => {
  test.each([
    ['body', null],
    ['body', []],
    ['body', 'text'],
    ['resourceSpans', { resourceSpans: {} }],
    ['resourceSpans.0.scopeSpans', { resourceSpans: [{ scopeSpans: 7 }] }],
    ['resourceSpans.0.scopeSpans.0.spans.0.traceId', exportOf({ traceId: 'xyz' })],
    ['resourceSpans.0.scopeSpans.0.spans.0.traceId', exportOf({ traceId: '0'.repeat(32) })],
    ['resourceSpans.0.scopeSpans.0.spans.0.spanId', exportOf({ spanId: undefined })],
    ['startTimeUnixNano', exportOf({ startTimeUnixNano: '99999999999999999999' })],
    ['startTimeUnixNano', exportOf({ startTimeUnixNano: '12; DROP' })],
    ['attributes', exportOf({ attributes: { key: 'x' } })],
    ['attributes.0.key', exportOf({ attributes: [{ value: 1 }] })],
  ])('the error names %s', (field, body) => {
    expect(() => parseOtlp(body)).toThrow(OtlpError)
    expect(() => parseOtlp(body)).toThrow(field)
  })

  test('the error does not repeat the value', () => {
    expect(() => parseOtlp(exportOf({ traceId: 'canary-1' }))).toThrow(/^((?!canary).)*$/)
  })
})
