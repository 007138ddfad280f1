import { expect, test } from 'vitest'
import { silentLog } from '#lib/runtime'
import type { Attempt } from '../../../services/worker/attempt.ts'
import { noCaller } from '../../../services/worker/calls.ts'
import { openHandlers } from '../../../services/worker/handlers.ts'
import { Outgoing } from '../../../services/worker/outgoing.ts'
import { noRedaction } from '../../../services/worker/redaction.ts'
import { collectSpans } from '../../support/spans.ts'

test('I10: the span of a context lies in the trace and the time of its attempt, whatever it says', async () => {
  await using seen = await collectSpans('worker')
  const startedAt = Date.now() - 1000
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const attempt = { job: { id: 'x.1', attemptsMade: 0 }, traceparent, startedAt } as unknown as Attempt
  const outgoing = new Outgoing({ grant: 'g', redaction: noRedaction, found() {}, log: silentLog })
  const handlers = openHandlers(silentLog, noCaller)(attempt, outgoing)
  const ids = { spanId: 'c'.repeat(16), parentSpanId: 'b'.repeat(16) }
  handlers.span!({ name: 'x', ...ids, startMs: 0, endMs: 9e12, attributes: {} })
  handlers.span!({
    name: 'x',
    spanId: 'b'.repeat(16),
    parentSpanId: 'd'.repeat(16),
    startMs: 0,
    endMs: 1,
    attributes: {},
  })
  expect(seen.spans()).toHaveLength(1)
  const [recorded] = seen.spans()
  expect(recorded!.spanContext().traceId).toBe('a'.repeat(32))
  expect(recorded!.startTime[0]).toBe(Math.trunc(startedAt / 1000))
  expect(recorded!.duration[0]).toBeLessThan(60)
})
