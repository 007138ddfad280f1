import { context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'
import { SpanKind, trace as bullTrace } from 'bullmq'
import { describe, expect, test } from 'vitest'
import { attribute, bullTelemetry, inSpan, traceparentOfMetadata } from '#lib/telemetry'
import { collectSpans, textOf } from '../../support/spans.ts'

const CANARY = 'canary-5f2e91'
const telemetry = bullTelemetry()

/** BullMQ's own driver of its telemetry, as Queue.add calls it. Gives the metadata that goes into the job. */
async function add(id = 'coder.1'): Promise<string> {
  let metadata = ''
  await bullTrace(telemetry, SpanKind.PRODUCER, 'coder', 'add', `coder.${CANARY}`, async (span, md) => {
    metadata = md ?? ''
    span?.setAttributes({
      'bullmq.job.name': CANARY,
      'bullmq.job.id': id,
      'bullmq.job.options': `{"x":"${CANARY}"}`,
    })
  })
  return metadata
}

/** As Worker.processJob does. Gives what Job.moveToFailed would store in Redis for the retry. */
async function attempt(metadata: string | undefined, work: () => void | Promise<void>): Promise<string> {
  let stored = ''
  await bullTrace(
    telemetry,
    SpanKind.CONSUMER,
    'coder',
    'process',
    'coder',
    async (span) => {
      span?.setAttributes({ 'bullmq.job.id': 'coder.1', 'bullmq.worker.id': CANARY })
      try {
        await work()
        span?.addEvent('job completed', { 'bullmq.job.result': CANARY })
      } catch {
        await bullTrace(telemetry, SpanKind.INTERNAL, 'coder', 'retry', 'coder', async (_span, md) => {
          stored = md ?? ''
        })
        span?.addEvent('job failed', { 'bullmq.job.failed.reason': CANARY })
      }
      span?.setAttributes({ 'bullmq.job.progress': CANARY })
    },
    metadata,
  )
  return stored
}
const fail = () => {
  throw new Error(CANARY)
}

describe('I10 one trace', () => {
  test('an attempt is a child of the send span in the same trace, and links to it', async () => {
    await using seen = await collectSpans()
    await attempt(await add(), () => {})
    const [send, process] = seen.spans()
    expect([send!.name, process!.name]).toEqual(['send coder', 'process coder'])
    expect(process!.parentSpanContext?.spanId).toBe(send!.spanContext().spanId)
    expect(process!.links.map((link) => link.context.spanId)).toEqual([send!.spanContext().spanId])
    expect(process!.attributes).toMatchObject({
      [attribute.messagingSystem]: 'bullmq',
      [attribute.messagingDestination]: 'coder',
      [attribute.messagingMessageId]: 'coder.1',
    })
  })

  test('a retry is a sibling of the first attempt, not its child', async () => {
    await using seen = await collectSpans()
    const stored = await attempt(await add(), fail)
    await attempt(stored, () => {})
    const [send, first, second] = seen.spans()
    expect(first!.parentSpanContext?.spanId).toBe(send!.spanContext().spanId)
    expect(second!.parentSpanContext?.spanId).toBe(send!.spanContext().spanId)
  })

  test('what an attempt enqueues is its child', async () => {
    await using seen = await collectSpans()
    let inner = ''
    await attempt(await add(), async () => {
      inner = await add('coder.2')
    })
    const [, innerSend, process] = seen.spans()
    expect(innerSend!.parentSpanContext?.spanId).toBe(process!.spanContext().spanId)
    expect(inner).toContain(innerSend!.spanContext().spanId)
  })

  test('the span of an attempt is the active span of the processor', async () => {
    await using seen = await collectSpans()
    await attempt(await add(), () => {
      trace.getActiveSpan()?.setAttribute(attribute.queueWaitMs, 7)
    })
    expect(seen.spans()[1]!.attributes[attribute.queueWaitMs]).toBe(7)
  })

  test('a failed attempt has status ERROR', async () => {
    await using seen = await collectSpans()
    await attempt(await add(), fail)
    expect(seen.spans()[1]!.status.code).toBe(SpanStatusCode.ERROR)
    expect(seen.spans()[1]!.attributes[attribute.errorType]).toBe('_OTHER')
  })

  test('the error type that the worker has set stays', async () => {
    await using seen = await collectSpans()
    await attempt(await add(), () => {
      trace.getActiveSpan()?.setAttribute(attribute.errorType, 'timed-out')
      fail()
    })
    expect(seen.spans()[1]!.attributes[attribute.errorType]).toBe('timed-out')
  })

  test('a failed enqueue has status ERROR with the class of the error', async () => {
    await using seen = await collectSpans()
    const lost = bullTrace(telemetry, SpanKind.PRODUCER, 'coder', 'add', 'coder.x', () => {
      throw new TypeError(CANARY)
    })
    await expect(lost).rejects.toThrow(CANARY)
    expect(seen.spans()[0]!.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(seen.spans()[0]!.attributes[attribute.errorType]).toBe('TypeError')
  })

  test('housekeeping emits nothing, also when it fails', async () => {
    await using seen = await collectSpans()
    for (const name of ['extendLocks', 'moveStalledJobsToWait', 'getNextJob', 'close', 'retry', 'toString']) {
      await bullTrace(telemetry, SpanKind.INTERNAL, 'coder', name, 'coder', async () => fail()).catch(
        () => {},
      )
    }
    expect(seen.spans()).toEqual([])
  })

  test('root() detaches a loop from the span that started it', async () => {
    await using _seen = await collectSpans()
    await inSpan('start-up', {}, () => {
      const { contextManager } = telemetry
      expect(trace.getSpan(context.active())).toBeDefined()
      contextManager.with(contextManager.root!(), () => {
        expect(context.active()).toBe(ROOT_CONTEXT)
      })
    })
  })

  test('a job without trace context begins its own trace, whatever span is active', async () => {
    await using seen = await collectSpans()
    await inSpan('start-up', {}, () => attempt(undefined, () => {}))
    const [process] = seen.spans()
    expect(process!.parentSpanContext).toBeUndefined()
    expect(process!.links).toEqual([])
  })
})

describe('I7 silent', () => {
  test('no result, failure, job name, option or progress enters a span', async () => {
    await using seen = await collectSpans()
    const metadata = await add()
    await attempt(metadata, () => {})
    await attempt(metadata, fail)
    expect(seen.spans()).toHaveLength(3)
    expect(textOf(seen.spans())).not.toContain(CANARY)
  })
})

test('metadata is read bare and in the carrier of bullmq-otel, and nothing else', () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  expect(traceparentOfMetadata(traceparent)).toBe(traceparent)
  expect(traceparentOfMetadata(JSON.stringify({ traceparent, baggage: 'x' }))).toBe(traceparent)
  for (const bad of [
    '',
    '{',
    '{"traceparent":1}',
    'x',
    7,
    null,
    undefined,
    `{"traceparent":"${'a'.repeat(5000)}"}`,
  ])
    expect(traceparentOfMetadata(bad)).toBeUndefined()
})
