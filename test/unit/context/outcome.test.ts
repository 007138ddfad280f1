import { describe, expect, test } from 'vitest'
import type { Receipt } from '#lib/wire'
import { OutputLimitError, ProtocolViolation } from '../../../libs/context/errors.ts'
import { conclude, type Facts } from '../../../libs/context/outcome.ts'

const RESULT: Facts['end'] = { kind: 'message', message: { t: 'result', value: 7 } }
const failed = (type: string, message: string, permanent = false): Facts['end'] => ({
  kind: 'message',
  message: { t: 'failed', error: { type, message }, permanent },
})
const violation = (error: Error): Facts['end'] => ({ kind: 'violation', error })
const setup = (facts: Partial<Facts>, receipt: Partial<Receipt> = {}) => {
  const limits = { memoryBytes: { value: 50 }, timeMs: { value: 100 } }
  const all = { end: { kind: 'closed' } as const, stoppedBy: undefined, bundle: {} as any, ...facts }
  const { outcome, error } = conclude({
    ...all,
    receipt: { endedBy: 'released', limits, ...receipt } as unknown as Receipt,
  })
  return [outcome, error?.type]
}

describe('I2: how an attempt ended', () => {
  test('a result is a completion, unless time was up when it came', () => {
    expect(setup({ end: RESULT })).toEqual(['completed', undefined])
    expect(setup({ end: RESULT, stoppedBy: 'timeout' })).toEqual(['timed-out', 'timed-out'])
    expect(setup({ end: RESULT, stoppedBy: 'cancelled' })).toEqual(['cancelled', 'cancelled'])
  })
  test('an allocator that gave up is out of memory, whatever the agent made of it', () => {
    expect(setup({ end: failed('RangeError', 'Array buffer allocation failed') })[0]).toBe('out-of-memory')
    expect(setup({ end: failed('RangeError', 'Failed to allocate memory') })[0]).toBe('out-of-memory')
    const wasm = 'WebAssembly.Memory.grow(): Unable to grow instance memory'
    expect(setup({ end: failed('RangeError', wasm) })[0]).toBe('out-of-memory')
    expect(setup({ end: failed('RangeError', 'Invalid array length') })[0]).toBe('failed')
  })
  test('a permanent failure stays one', () => {
    const end = failed('invalid-input', 'question: too long', true)
    const receipt = { endedBy: 'released' } as Receipt
    expect(conclude({ end, stoppedBy: undefined, receipt, bundle: {} as any }).error?.permanent).toBe(true)
  })
  test('a broken protocol and too much output are different failures', () => {
    expect(setup({ end: violation(new ProtocolViolation('x')) })).toEqual(['failed', 'protocol-violation'])
    expect(setup({ end: violation(new OutputLimitError(1)) })).toEqual(['failed', 'output-limit'])
  })
  test.each([
    ['exit', 'failed', 'exited'],
    ['signal', 'failed', 'crashed'],
    ['out-of-memory', 'out-of-memory', 'out-of-memory'],
    ['output-limit', 'failed', 'output-limit'],
    ['timeout', 'timed-out', 'timed-out'],
    ['worker-gone', 'interrupted', 'interrupted'],
    ['host-lost', 'interrupted', 'interrupted'],
    ['protocol-violation', 'failed', 'protocol-violation'],
  ] as const)('a closed channel and a receipt that says %s is %s', (endedBy, outcome, type) => {
    expect(setup({}, { endedBy })).toEqual([outcome, type])
  })
})
