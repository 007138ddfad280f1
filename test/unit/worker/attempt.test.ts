import { silentLog } from '#lib/runtime'
import { describe, expect, test } from 'vitest'
import { type Attempt, type AttemptParts, begin, runAttempt } from '../../../services/worker/attempt.ts'
import { openHandlers } from '../../../services/worker/handlers.ts'
import { Outgoing } from '../../../services/worker/outgoing.ts'
import { noRedaction } from '../../../services/worker/redaction.ts'
import { noMemory } from '../../../services/worker/memory.ts'
import { nobody } from '../../../services/worker/suspicion.ts'
import { noCaller } from '../../../services/worker/calls.ts'

/** A worker's parts that record what happened, in order; `broken` names the step that throws. */
function setup(broken?: string, end: object = { outcome: 'completed', result: 'done' }) {
  const events: string[] = []
  const step = (name: string) => {
    events.push(name)
    if (name === broken) throw new Error(`${name} broke`)
  }
  const context = {
    id: 'c1',
    enter: async () => {},
    run: async (_task: unknown, on: { spoken(): void }) => {
      step('run')
      on.spoken()
      step('gone')
      return { receipt: { context: 'c1' }, ...end }
    },
    [Symbol.asyncDispose]: async () => step('free'),
  }
  const parts = {
    pool: { acquire: async () => (step('acquire'), context) },
    sidecar: { grant: async () => (step('grant'), 'g1'), end: async () => step('revoke') },
    timeoutMs: 1000,
    verify: () => (step('validate'), { tenant: 'default', input: {}, metadata: {} }),
    handlers: openHandlers(silentLog, noCaller),
    redaction: noRedaction,
    outgoing: ({ grant }: Attempt) =>
      new Outgoing({ grant, redaction: noRedaction, found() {}, log: silentLog }),
    memory: noMemory,
    isSuspect: nobody,
  } as unknown as AttemptParts
  const job = {
    id: 'a.1',
    data: {},
    attemptsMade: 0,
    attemptsStarted: 1,
    queueName: 'a',
    timestamp: 0,
  } as never
  const stop = new AbortController()
  const attempt = begin(job, 'token', stop.signal)
  const run = () => runAttempt(attempt, parts)
  return { events, run, attempt, stop, parts }
}

describe('I6 gone: whatever happens to an attempt, what it held is given back', () => {
  test('an attempt that completes goes through every step in order, and its grant ends once, before its context is gone', async () => {
    const { events, run } = setup()
    expect((await run()).end).toMatchObject({ outcome: 'completed' })
    expect(events).toEqual(['validate', 'acquire', 'grant', 'run', 'revoke', 'gone'])
  })

  test('a refused job never reaches a context', async () => {
    const { events, run } = setup('validate')
    expect((await run()).error).toMatchObject({ message: 'validate broke' })
    expect(events).toEqual(['validate'])
  })

  test('a context whose grant was refused is freed and never runs', async () => {
    const { events, run } = setup('grant')
    expect((await run()).error).toMatchObject({ message: 'grant broke' })
    expect(events).toEqual(['validate', 'acquire', 'grant', 'free'])
  })

  test('a run that breaks ends its grant', async () => {
    const { events, run } = setup('run')
    await run()
    expect(events).toEqual(['validate', 'acquire', 'grant', 'run', 'revoke', 'free'])
  })

  test('a revocation that fails changes no outcome', async () => {
    const { events, run } = setup('revoke')
    const attempt = await run()
    expect(attempt.error).toBeUndefined()
    expect(attempt.end).toMatchObject({ outcome: 'completed' })
    expect(events).toContain('revoke')
  })
})

test('an attempt that is cancelled before its run never enters its context, which is freed', async () => {
  const { events, run, stop, parts } = setup()
  const { sidecar } = parts
  parts.sidecar = { ...sidecar, grant: (attempt) => (stop.abort('cancelled'), sidecar.grant(attempt)) }
  expect((await run()).end).toBeUndefined()
  expect(events).toEqual(['validate', 'acquire', 'grant', 'revoke', 'free'])
})

test.each(['run', undefined])(
  'what an attempt still waits for is not wanted when it ends (broken: %s)',
  async (broken) => {
    const { attempt, run } = setup(broken)
    expect(attempt.over.signal.aborted).toBe(false)
    await run()
    expect(attempt.over.signal.aborted).toBe(true)
  },
)
