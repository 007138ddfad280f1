import { describe, expect, test } from 'vitest'
import { strongestLevel } from '../../../services/cli/demo/level.ts'
import { faults, type Played, record, rotationFaults } from '../../../services/cli/demo/verdict.ts'
import { jsonText, table } from '../../../services/cli/terminal.ts'

const receipt = {
  context: 'c1',
  level: 'namespace',
  reuse: 0,
  pid: 7,
  peakBytes: 9,
  endedBy: 'released',
} as const
const played = (
  change: object = {},
  expectation: Played['line']['expect'] = { outcome: 'completed' },
): Played => ({
  line: { agent: 'a', input: 1, expect: expectation },
  keys: [],
  view: {
    id: 'a.1',
    agent: 'a',
    state: 'ended',
    outcome: 'completed',
    attempts: 1,
    enqueuedAt: 0,
    attemptRecords: [],
    metadata: {},
    result: 1,
    receipt,
    ...change,
  },
})

const report = (level: 'namespace' | 'process' | 'thread', available: boolean) => ({
  level,
  available,
  ...(available ? {} : { reason: 'no', remedy: 'apt-get install bubblewrap' }),
})

test('the demo fails unless both generations of the key that was rotated served requests', () => {
  const with1 = { ...played(), keys: ['k 1'] }
  const with2 = { ...played(), keys: ['other 1', 'k 2'] }
  const rotated = { secret: 'k', generation: 2 }
  expect(rotationFaults([with1, with2], rotated)).toEqual([])
  expect(rotationFaults([with1], rotated)).toEqual(['no request was served by generation 2 of k'])
  expect(rotationFaults([with2], rotated)).toEqual(['no request was served by generation 1 of k'])
})

describe('the demo fails', () => {
  test.each([
    [
      'an outcome that its line does not expect',
      [played({ outcome: 'failed' })],
      /expected completed, found failed/,
    ],
    [
      'an error of another type',
      [played({ error: { type: 'x', message: 'm' } }, { outcome: 'completed', type: 'y' })],
      /type y/,
    ],
    [
      'a context that was used before (I1)',
      [played({ receipt: { ...receipt, reuse: 1 } })],
      /used 1 times before/,
    ],
    [
      'another level than chosen (I3)',
      [played({ receipt: { ...receipt, level: 'process' } })],
      /ran at level process/,
    ],
    ['no receipt', [played({ receipt: undefined })], /has no receipt/],
    [
      'one context for two requests (I1)',
      [played(), played({ id: 'a.2' })],
      /context c1 served a\.1 and a\.2/,
    ],
  ])('for %s', (_what, requests, message) => {
    expect(faults(requests, 'namespace').join('\n')).toMatch(message)
  })

  test('for nothing when all is well', () => {
    const second = played({ id: 'a.2', receipt: { ...receipt, context: 'c2' } })
    expect(faults([played(), second], 'namespace')).toEqual([])
  })
})

test('a record has exactly the promised fields', () => {
  const extra = { ...receipt, uid: 1, cpuMs: 2 }
  expect(record(played({ receipt: extra, traceId: 't', queuedMs: 1, runMs: 2 }))).toEqual({
    id: 'a.1',
    agent: 'a',
    outcome: 'completed',
    attempts: 1,
    result: 1,
    error: null,
    keys: [],
    traceId: 't',
    queuedMs: 1,
    runMs: 2,
    receipt,
  })
})

describe('the level of the demo', () => {
  test('is the strongest that the host gives', () => {
    expect(strongestLevel([report('process', true), report('namespace', true)])).toBe('namespace')
    expect(strongestLevel([report('process', true), report('namespace', false)])).toBe('process')
  })

  test('is never thread: it says what to install', () => {
    const reports = [report('namespace', false), report('process', false), report('thread', true)]
    expect(() => strongestLevel(reports)).toThrow(/apt-get install bubblewrap/)
  })
})

const UNSAFE = /[\p{Cf}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u

describe('what reaches a terminal', () => {
  test('has no control, bidirectional or invisible character of an agent', () => {
    const evil = '\u001b[31m\u009b\u202e\u{e0041}\n'
    expect(table(['a'], [[evil]])).not.toMatch(UNSAFE)
    expect(jsonText({ evil })).not.toMatch(UNSAFE)
    expect(JSON.parse(jsonText({ evil }))).toEqual({ evil })
  })
})
