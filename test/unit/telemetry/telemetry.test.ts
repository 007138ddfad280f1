import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import {
  attribute,
  contextOf,
  inSpan,
  newSpanId,
  openTelemetry,
  recordSpan,
  tracer,
  traceparentOf,
} from '#lib/telemetry'
import { collectSpans, textOf } from '../../support/spans.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

test('a traceparent round trip keeps trace and span', async () => {
  await using _seen = await collectSpans()
  const span = tracer().startSpan('origin')
  const remote = trace.getSpanContext(contextOf(traceparentOf(span)))
  const { traceId, spanId } = span.spanContext()
  expect(remote).toEqual({ traceId, spanId, traceFlags: 1, isRemote: true })
})

test.each([
  '',
  'garbage',
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01\r\nx: y`,
  undefined,
  { traceparent: 'x' },
])('an invalid traceparent is the root context: %j', (bad) => {
  expect(contextOf(bad)).toBe(ROOT_CONTEXT)
})

test('a span under an unsampled parent is recorded all the same', async () => {
  await using seen = await collectSpans()
  await inSpan('attempt', { parent: contextOf(`00-${TRACE}-${SPAN}-00`) }, () => {})
  expect(seen.spans().map((span) => span.spanContext().traceId)).toEqual([TRACE])
})

test('spans nest through awaits', async () => {
  await using seen = await collectSpans()
  await inSpan('outer', { kind: SpanKind.SERVER }, async () => {
    await Promise.resolve()
    await inSpan('inner', { attributes: { [attribute.attempt]: 2 } }, () => {})
  })
  const [inner, outer] = seen.spans()
  expect(inner!.parentSpanContext?.spanId).toBe(outer!.spanContext().spanId)
  expect(inner!.attributes).toEqual({ [attribute.attempt]: 2 })
  expect(outer!.kind).toBe(SpanKind.SERVER)
})

test('what a span throws passes on and leaves its class, not its message', async () => {
  await using seen = await collectSpans()
  const failing = inSpan('step', {}, () => {
    throw new RangeError('canary-77')
  })
  await expect(failing).rejects.toThrow('canary-77')
  expect(seen.spans()[0]!.status.code).toBe(SpanStatusCode.ERROR)
  expect(seen.spans()[0]!.attributes[attribute.errorType]).toBe('RangeError')
  expect(textOf(seen.spans())).not.toContain('canary-77')
})

test('a finished span of a context goes through the same processor', async () => {
  await using seen = await collectSpans('worker')
  const spanId = newSpanId()
  recordSpan({
    name: 'step',
    traceId: TRACE,
    spanId,
    parentSpanId: SPAN,
    startMs: 1000.25,
    endMs: 1003.5,
    attributes: {},
    links: [`00-${TRACE}-${SPAN}-01`, 'garbage'],
    error: 'went wrong',
  })
  const [span] = seen.spans()
  expect(span!.spanContext()).toMatchObject({ traceId: TRACE, spanId })
  expect(span!.parentSpanContext?.spanId).toBe(SPAN)
  expect(span!.duration).toEqual([0, 3_250_000])
  expect(span!.status).toEqual({ code: SpanStatusCode.ERROR, message: 'went wrong' })
  expect(span!.links).toHaveLength(1)
  expect(span!.resource.attributes[attribute.serviceName]).toBe('worker')
})

test('a claimed span that cannot be one is dropped, one that is too large is cut', async () => {
  await using seen = await collectSpans()
  const good = { name: 'x', traceId: TRACE, spanId: SPAN, startMs: 1, endMs: 2, attributes: {} }
  for (const bad of [
    { traceId: 'xyz' },
    { spanId: '0'.repeat(16) },
    { parentSpanId: '0'.repeat(16) },
    { startMs: Number.NaN },
    { endMs: 1e300 },
    { startMs: -1 },
  ])
    recordSpan({ ...good, ...bad })
  expect(seen.spans()).toEqual([])
  const attributes = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`a${at}`, 'v'.repeat(5000)]))
  recordSpan({ ...good, name: 'n'.repeat(5000), endMs: 0, attributes })
  const [cut] = seen.spans()
  expect([cut!.name.length, Object.keys(cut!.attributes).length]).toEqual([1024, 64])
  expect(cut!.attributes['a0']).toHaveLength(1024)
  expect(cut!.duration).toEqual([0, 0])
})

test.each([
  ['that fills all places', Object.fromEntries(Array.from({ length: 64 }, (_, at) => [String(at), at]))],
  ['that denies it', { [attribute.claim]: false }],
  ['that says nothing', {}],
])('A3: the span of a context %s is marked as its claim', async (_which, attributes) => {
  await using seen = await collectSpans()
  recordSpan({ name: 'x', traceId: TRACE, spanId: SPAN, startMs: 1, endMs: 2, attributes })
  expect(seen.spans()[0]!.attributes[attribute.claim]).toBe(true)
  expect(Object.keys(seen.spans()[0]!.attributes).length).toBeLessThanOrEqual(64)
})

test('A3: the span of a context says nothing under our own names', async () => {
  await using seen = await collectSpans()
  const attributes = { [attribute.outcome]: 'completed', [attribute.tenant]: 'other', mine: 1 }
  recordSpan({ name: 'x', traceId: TRACE, spanId: SPAN, startMs: 1, endMs: 2, attributes })
  expect(seen.spans()[0]!.attributes).toEqual({ mine: 1, [attribute.claim]: true })
})

test('without a receiver spans are dropped but traceparents still continue a trace', async () => {
  await using _telemetry = await openTelemetry({ service: 'worker' })
  await inSpan('outer', {}, (span) => {
    expect(traceparentOf(span)).toMatch(/^00-(?!0{32})[\da-f]{32}-[\da-f]{16}-01$/)
    expect(trace.getActiveSpan()).toBe(span)
  })
})

test('closing twice is safe, and afterwards another one can be opened', async () => {
  const first = await openTelemetry({ service: 'a' })
  await expect(openTelemetry({ service: 'b' })).rejects.toThrow('open already')
  await first[Symbol.asyncDispose]()
  await first[Symbol.asyncDispose]()
  await using _second = await openTelemetry({ service: 'b' })
  expect(context.active()).toBe(ROOT_CONTEXT)
})

test('new span ids differ and are 16 hex digits', () => {
  const ids = new Set(Array.from({ length: 100 }, newSpanId))
  expect(ids.size).toBe(100)
  for (const id of ids) expect(id).toMatch(/^[\da-f]{16}$/)
})
