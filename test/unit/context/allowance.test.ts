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
  test('log lines, progress and emitted values share one limit', () => {
    const allowance = new Allowance(1000)
    expect(allowance.admits(progress, 300)).toBe(true)
    expect(allowance.admits(emit, 300)).toBe(true)
    expect(allowance.admits(log, 400)).toBe(true)
    expect(() => allowance.admits(emit, 1)).toThrow(OutputLimitError)
  })

  test('calls and results are not output', () => {
    const allowance = new Allowance(1000)
    expect(allowance.admits({ t: 'call', id: 1, agentType: 'x', input: 1 }, 1e6)).toBe(true)
    expect(allowance.admits(log, 1000)).toBe(true)
  })

  test('the 1001st span, and spans past 256 KiB, are dropped', () => {
    const many = new Allowance(1000)
    expect(Array.from({ length: 1000 }, () => many.admits(span, 100))).not.toContain(false)
    expect(many.admits(span, 100)).toBe(false)
    const large = new Allowance(1000)
    expect(large.admits(span, 2 ** 18)).toBe(true)
    expect(large.admits(span, 1)).toBe(false)
  })
})
