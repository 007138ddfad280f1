import { expect, test } from 'vitest'
import type { Receipt, RequestView } from '#lib/client'
import { requestText } from '../../../services/cli/request-text.ts'

const receipt: Receipt = {
  context: 'c1',
  level: 'namespace',
  reuse: 0,
  pid: 7,
  peakBytes: 2_000_000,
  endedBy: 'released',
  limits: {
    memoryBytes: { value: 50_000_000, by: 'cgroup-v2' },
    processes: { value: 128, by: 'cgroup-v2' },
    openFiles: null,
  },
  overshootBytes: 300_000,
}
const view: RequestView = {
  id: 'echo.1',
  agent: 'echo',
  state: 'ended',
  outcome: 'completed',
  attempts: 1,
  enqueuedAt: 0,
  attemptRecords: [],
  metadata: {},
}

test('a completed request shows outcome, receipt and result', () => {
  const text = requestText({ ...view, result: { said: 'hi' }, receipt })
  expect(text).toContain('outcome   completed')
  expect(text).toContain('context c1, level namespace, entered 0 times before')
  expect(text).toContain('2.0 MB of 50.0 MB, held by cgroup-v2, 0.3 MB above it')
  expect(text).toContain('128 processes by cgroup-v2')
  expect(text).toContain('"said": "hi"')
})

test('a request that was attempted again shows every attempt with its error', () => {
  const error = { type: 'boom', message: 'no' }
  const attempt = { outcome: 'failed', runMs: 20, error }
  const attemptRecords = [
    { ...attempt, attempt: 1 },
    { ...attempt, attempt: 2 },
  ]
  const text = requestText({ ...view, outcome: 'failed', error, attempts: 2, attemptRecords })
  expect(text).toContain('error     boom: no')
  expect(text).toContain('attempt 2  failed after 20 ms, boom: no')
})

test('a request that has not ended says so', () => {
  const { outcome: _, ...running } = view
  expect(requestText({ ...running, state: 'running' })).toContain('running, not ended yet')
})

test('a receipt with facts of another kind is shown as far as it goes', () =>
  expect(requestText({ ...view, receipt: { ...receipt, limits: 'none', cpuMs: 'x' } })).toContain(
    'memory   2.0 MB',
  ))

test('a request that has not ended says whether it is being cancelled', () => {
  const { outcome: _, ...running } = { ...view, state: 'running' as const }
  expect(requestText(running)).toContain('outcome   running, not ended yet')
  expect(requestText({ ...running, cancelledAt: 7 })).toContain('outcome   running, being cancelled')
})
