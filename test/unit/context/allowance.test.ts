import { describe, expect, test } from 'vitest'
import type { FromContext } from '#lib/wire'
import { Allowance } from '../../../libs/context/allowance.ts'
import { OutputLimitError } from '../../../libs/context/errors.ts'

const progress: FromContext = { t: 'progress', value: 1 }
const emit: FromContext = { t: 'emit', value: 1 }
const log: FromContext = { t: 'log', level: 'info', message: 'x', fields: {}, atMs: 1 }
const ids = { spanId: 'a'.repeat(16), parentSpanId: 'b'.repeat(16) }
const span: FromContext = { t: 'span', span: { name: 'x', ...ids, startMs: 1, endMs: 2, attributes: {} } }

describe('I2: what is kept of all that a context says', () => {
  test('result, log lines, progress, emitted values, spans and console share one limit', () => {
    const allowance = new Allowance(1000)
    expect(allowance.admits(progress, 300)).toBe(true)
    expect(allowance.admits(emit, 300)).toBe(true)
    expect(allowance.admits(log, 100)).toBe(true)
    expect(allowance.admits(span, 100)).toBe(true)
    allowance.take(100)
    expect(allowance.admits({ t: 'result', value: 1 }, 100)).toBe(true)
    expect(() => allowance.admits(emit, 1)).toThrow(OutputLimitError)
  })

  test('calls are not output', () => {
    const allowance = new Allowance(1000)
    expect(allowance.admits({ t: 'call', id: 1, agentType: 'x', input: 1 }, 1e6)).toBe(true)
    expect(allowance.admits(log, 1000)).toBe(true)
  })

  test('the 1001st span is dropped', () => {
    const many = new Allowance(1e6)
    expect(Array.from({ length: 1000 }, () => many.admits(span, 100))).not.toContain(false)
    expect(many.admits(span, 100)).toBe(false)
  })
})
