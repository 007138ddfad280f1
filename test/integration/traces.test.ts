import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { onDispose, silentLog } from '#lib/runtime'
import { inSpan, newSpanId, openTelemetry, recordSpan } from '#lib/telemetry'
import { TraceStore } from '#lib/traces'
import { openServer } from '../../services/dev/traces/server.ts'

const TOKEN = 'token-of-the-trace-store'

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), 'tb-traces-'))
  const resources = new AsyncDisposableStack()
  resources.use(onDispose(() => rm(folder, { recursive: true })))
  const store = resources.use(await TraceStore.open({ file: join(folder, 'traces.db') }))
  const server = resources.use(
    await openServer({ host: '127.0.0.1', port: 0, token: TOKEN, store, log: silentLog }),
  )
  return { resources, store, server }
}

/** Sends a span with one below it and a claim below that; gives the trace id. Disposing telemetry flushes. */
async function send(endpoint: string, token: string): Promise<string> {
  await using _telemetry = await openTelemetry({ service: 'worker', environment: 'dev', endpoint, token })
  return await inSpan('outer', {}, (outer) =>
    inSpan('inner', { attributes: { 'threadbound.attempt': 1 } }, (inner) => {
      const { traceId, spanId } = inner.spanContext()
      const startMs = Date.now()
      recordSpan({
        name: 'claim',
        traceId,
        spanId: newSpanId(),
        parentSpanId: spanId,
        startMs,
        endMs: startMs,
        attributes: { 'threadbound.claim': true },
      })
      return outer.spanContext().traceId
    }),
  )
}

test('spans of a service arrive in the store as one tree, over real HTTP', async () => {
  const { resources, server } = await setup()
  await using _resources = resources
  const traceId = await send(server.url, TOKEN)
  const answer = await fetch(`${server.url}/api/traces/${traceId}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  })
  const { tree } = (await answer.json()) as any
  expect(tree.rows.map((row: any) => `${'.'.repeat(row.depth)}${row.span.name}`)).toEqual([
    'outer',
    '.inner',
    '..claim',
  ])
  expect(tree.rows[0].span.service).toBe('worker')
})

test('with a wrong token nothing arrives, and the sender goes on', async () => {
  const { resources, server, store } = await setup()
  await using _resources = resources
  expect(store.spans(await send(server.url, 'not-the-token-of-it'))).toEqual([])
})

test('a receiver that is away costs the end of a process at most its flush time', async () => {
  const startedAt = performance.now()
  await send('http://127.0.0.1:1', TOKEN)
  expect(performance.now() - startedAt).toBeLessThan(6000)
})

test('OTEL_EXPORTER_OTLP_ENDPOINT and its headers are honoured where no endpoint is given', async () => {
  const { resources, server, store } = await setup()
  await using _resources = resources
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = server.url
  process.env['OTEL_EXPORTER_OTLP_HEADERS'] = `authorization=Bearer ${TOKEN}`
  await using _environment = onDispose(() => {
    delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT']
    delete process.env['OTEL_EXPORTER_OTLP_HEADERS']
  })
  const telemetry = await openTelemetry({ service: 'worker' })
  const traceId = await inSpan('outer', {}, (span) => span.spanContext().traceId)
  await telemetry[Symbol.asyncDispose]()
  expect(store.spans(traceId)).toHaveLength(1)
})
