import { inspect } from 'node:util'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LeaseSet, SecretReader } from '#lib/secrets'
import { secretsWorld } from '../../support/secrets-world.ts'

const exporter = new InMemorySpanExporter()
beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  )
})
afterAll(() => {
  trace.disable()
  context.disable()
})
beforeEach(() => exporter.reset())

async function attempt() {
  const world = secretsWorld()
  const identity = await world.login()
  const reader = await SecretReader.open({ ...world, identity })
  const databases = { 'orders-db': 'orders' }
  const leases = await LeaseSet.open({ ...world, identity, agentType: 'writer', timeoutMs: 1000, databases })
  await trace.getTracer('test').startActiveSpan('attempt', async (span) => {
    await reader.read('writer', 'api-key')
    await reader.read('writer', 'api-key')
    await reader.read('writer', 'unknown').catch(() => {})
    await leases.lease('orders-db')
    await leases.end()
    span.end()
  })
  return world
}

describe('I10 one trace: secrets in it', () => {
  test('reads, leases and the revocation are spans below the active one, with names and generations', async () => {
    await attempt()
    const spans = exporter.getFinishedSpans()
    const root = spans.find(({ name }) => name === 'attempt')!.spanContext().spanId
    const children = spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === root)
    expect(
      children.map(({ name, attributes }) => [name, attributes['threadbound.secret.cached'] ?? null]),
    ).toEqual([
      ['secret.read api-key', false],
      ['secret.read api-key', true],
      ['secret.read unknown', false],
      ['lease orders-db', null],
      ['revoke', null],
    ])
    expect(children[0]!.attributes).toMatchObject({
      'threadbound.secret.name': 'api-key',
      'threadbound.secret.generation': 3,
      'threadbound.agent.type': 'writer',
    })
    expect(children[2]).toMatchObject({
      status: { code: 2 },
      attributes: { 'error.type': 'SecretDeniedError' },
    })
    expect(children[4]!.attributes['threadbound.revoked_leases']).toBe(1)
  })

  test('an attempt that leased nothing has no revocation in its trace', async () => {
    const world = secretsWorld()
    const identity = await world.login()
    const options = { ...world, identity, agentType: 'writer', timeoutMs: 1000, databases: {} }
    await (await LeaseSet.open(options)).end()
    expect(exporter.getFinishedSpans()).toEqual([])
  })

  test('I7 no value, password or token is in a span or a log line', async () => {
    const { logged } = await attempt()
    expect(inspect(exporter.getFinishedSpans(), { depth: 12 })).not.toContain('canary')
    expect(logged.join('\n')).not.toContain('canary')
  })
})
