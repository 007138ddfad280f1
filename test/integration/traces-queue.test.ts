import { trace } from '@opentelemetry/api'
import { Queue, Worker } from 'bullmq'
import { expect, test } from 'vitest'
import { openRedis } from '#lib/queue'
import { onDispose } from '#lib/runtime'
import { bullTelemetry, inSpan } from '#lib/telemetry'
import { collectSpans, textOf } from '../support/spans.ts'
import { startRedis } from '../support/queue-redis.ts'

const CANARY = 'canary-4471'

const processed = async ({ attemptsMade }: { attemptsMade: number }) => {
  trace.getActiveSpan()?.setAttribute('threadbound.attempt', attemptsMade + 1)
  if (attemptsMade === 0) throw new Error(CANARY)
  return CANARY
}

test('I10 on a real queue: both attempts of a job hang under its send span, the failed one with ERROR, and nothing else is sent', async () => {
  await using stack = new AsyncDisposableStack()
  const seen = stack.use(await collectSpans())
  const redis = stack.use(await startRedis())
  const connection = await openRedis(redis.config, 'worker')
  stack.use(onDispose(() => connection.disconnect()))
  const telemetry = bullTelemetry()
  const queue = new Queue('coder', { connection, telemetry })
  stack.use(onDispose(() => queue.close()))
  const completed = Promise.withResolvers<void>()

  // opened inside a span, as a careless service would: its loops must not end up under it
  const worker = await inSpan('start-up', {}, () => {
    return new Worker('coder', processed, { connection, telemetry, stalledInterval: 50, lockRenewTime: 20 })
  })
  worker.on('completed', () => completed.resolve())
  await inSpan('POST /v1/requests', {}, () => queue.add('coder', { input: CANARY }, { attempts: 2 }))
  await completed.promise
  await worker.close()

  const spans = seen.spans()
  expect(spans.map((span) => span.name).toSorted()).toEqual([
    'POST /v1/requests',
    'process coder',
    'process coder',
    'send coder',
    'start-up',
  ])
  const send = spans.find((span) => span.name === 'send coder')!
  const attempts = spans.filter((span) => span.name === 'process coder')
  for (const attempt of attempts) expect(attempt.parentSpanContext?.spanId).toBe(send.spanContext().spanId)
  expect(attempts.map((span) => [span.attributes['threadbound.attempt'], span.status.code])).toEqual([
    [1, 2],
    [2, 0],
  ])
  expect(textOf(spans)).not.toContain(CANARY)
})
