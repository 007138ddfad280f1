import { expect, test } from 'vitest'
import { OtlpError, TraceStore } from '#lib/traces'
import { exportOf, idOf, SPAN, START_MS, TRACE } from '../../support/otlp.ts'

async function setup(limits: { maxSpans?: number; maxAgeMs?: number } = {}) {
  const clock = { time: START_MS, now: () => clock.time, sleep: async () => {} }
  return { clock, store: await TraceStore.open({ file: ':memory:', clock, ...limits }) }
}
const claim = { attributes: [{ key: 'threadbound.claim', value: { boolValue: true } }] }
const other = 'f'.repeat(32)

test('what was stored is found by its trace, by start', async () => {
  const { store } = await setup()
  await using _store = store
  store.ingest(
    exportOf(
      { spanId: idOf(2), startTimeUnixNano: '1790000000005000000' },
      { spanId: idOf(1) },
      { traceId: other },
    ),
  )
  expect(store.spans(TRACE).map((span) => span.spanId)).toEqual([idOf(1), idOf(2)])
  expect(store.spans(TRACE)[0]).toMatchObject({ service: 'worker', startMs: START_MS, endMs: START_MS + 10 })
  expect(store.spans('0'.repeat(32))).toEqual([])
})

test('a batch with one bad span stores none', async () => {
  const { store } = await setup()
  expect(() => store.ingest(exportOf({}, { traceId: 'bad' }))).toThrow(OtlpError)
  expect(store.spans(TRACE)).toEqual([])
})

test('a claim never replaces a measured span, and gives way to one', async () => {
  const { store } = await setup()
  store.ingest(exportOf({ name: 'measured', spanId: idOf(1) }))
  store.ingest(exportOf({ name: 'claimed', spanId: idOf(1), ...claim }))
  store.ingest(exportOf({ name: 'claimed', spanId: idOf(2), ...claim }))
  store.ingest(exportOf({ name: 'measured', spanId: idOf(2) }))
  expect(store.spans(TRACE).map((span) => span.name)).toEqual(['measured', 'measured'])
})

test('the oldest spans go when there are too many', async () => {
  const { store } = await setup({ maxSpans: 3 })
  for (let at = 1; at <= 5; at++) store.ingest(exportOf({ spanId: idOf(at) }))
  expect(store.prune()).toBe(2)
  expect(store.spans(TRACE).map((span) => span.spanId)).toEqual([idOf(3), idOf(4), idOf(5)])
})

test('spans go by themselves, without a call to prune', async () => {
  const { store } = await setup({ maxSpans: 10 })
  store.ingest(exportOf(...Array.from({ length: 2000 }, (_, at) => ({ spanId: idOf(at + 1) }))))
  expect(store.spans(TRACE)).toHaveLength(10)
})

test('spans past the age go, however their own clock stood', async () => {
  const { store, clock } = await setup({ maxAgeMs: 1000 })
  store.ingest(exportOf({ spanId: idOf(1), endTimeUnixNano: '9000000000000000000' }))
  clock.time += 600
  store.ingest(exportOf({ spanId: idOf(2) }))
  clock.time += 600
  store.prune()
  expect(store.spans(TRACE).map((span) => span.spanId)).toEqual([idOf(2)])
})

test('recent traces come newest first, named after their root', async () => {
  const { store } = await setup()
  store.ingest(
    exportOf(
      { spanId: idOf(1), name: 'child', parentSpanId: idOf(9), status: { code: 2 } },
      { spanId: idOf(2), name: 'POST /v1/requests', startTimeUnixNano: '1790000000005000000' },
    ),
  )
  store.ingest(exportOf({ traceId: other, spanId: SPAN, name: 'later' }))
  expect(store.recent()).toEqual([
    {
      traceId: other,
      name: 'later',
      service: 'worker',
      startMs: START_MS,
      durationMs: 10,
      spans: 1,
      errors: 0,
    },
    {
      traceId: TRACE,
      name: 'POST /v1/requests',
      service: 'worker',
      startMs: START_MS,
      durationMs: 10,
      spans: 2,
      errors: 1,
    },
  ])
  expect(store.recent(1)).toHaveLength(1)
})

test('closing twice is safe', async () => {
  const { store } = await setup()
  await store[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
})
