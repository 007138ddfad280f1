import { AgentLoadError, ContextStartError, LauncherGoneError } from '#lib/context'
import { PermanentError } from '#lib/runtime'
import { UnrecoverableError } from 'bullmq'
import { describe, expect, test } from 'vitest'
import type { Attempt } from '../../../services/worker/attempt.ts'
import { judge, toBullError } from '../../../services/worker/outcome.ts'
import { GrantError } from '../../../services/worker/sidecar-client.ts'

function attempt(facts: Partial<Attempt>): Attempt {
  return { signal: new AbortController().signal, ...facts } as Attempt
}

function ended(end: object): Partial<Attempt> {
  return { end: end as NonNullable<Attempt['end']> }
}

const cut = (outcome: string) => judge(attempt(ended({ outcome, error: { type: outcome, message: '' } })))

describe('the outcome of an attempt', () => {
  test('a completed attempt gives its result', () => {
    expect(judge(attempt(ended({ outcome: 'completed', result: { a: 1 } })))).toEqual({
      outcome: 'completed',
      result: { a: 1 },
      permanent: false,
    })
  })

  test('a failure that the agent calls permanent is not attempted again', () => {
    const error = { type: 'no-such-order', message: 'order 7', permanent: true }
    const verdict = judge(attempt(ended({ outcome: 'failed', error })))
    expect(verdict).toMatchObject({ outcome: 'failed', permanent: true })
    expect(verdict.error).toEqual({ type: 'no-such-order', message: 'order 7' })
    expect(toBullError(verdict)).toBeInstanceOf(UnrecoverableError)
  })

  test('a timeout is attempted again', () => {
    const error = { type: 'timed-out', message: 'ran past its timeout of 2 s' }
    const raised = toBullError(judge(attempt(ended({ outcome: 'timed-out', error }))))
    expect(raised).not.toBeInstanceOf(UnrecoverableError)
    expect(raised.message).toBe('timed-out: ran past its timeout of 2 s')
  })

  test('a refused job fails with the type of its refusal and is not attempted again', () => {
    class ExpiredJobError extends PermanentError {
      readonly type = 'expired'
    }
    const verdict = judge(attempt({ error: new ExpiredJobError('expired at noon') }))
    expect(verdict).toEqual({
      outcome: 'failed',
      error: { type: 'expired', message: 'expired at noon' },
      permanent: true,
    })
  })

  test('an attempt that was cut short is what its context says, and only a cancelled one is over', () => {
    expect(cut('interrupted')).toMatchObject({ outcome: 'interrupted', permanent: false })
    expect(cut('cancelled')).toMatchObject({ outcome: 'cancelled', permanent: true })
  })

  test.each([
    ['interrupted', { outcome: 'interrupted', permanent: false }],
    ['the caller asked', { outcome: 'cancelled', permanent: true }],
  ])('an attempt aborted with "%s" before a context ran is %o', (reason, verdict) => {
    const signal = AbortSignal.abort(reason)
    expect(judge(attempt({ signal, error: reason }))).toMatchObject(verdict)
  })

  test.each([
    new LauncherGoneError(),
    new ContextStartError('no memory'),
    new AgentLoadError({ type: 'Error', message: 'no config' }),
    new GrantError('unknown-context', 'c'),
  ])('a worker that gives no context interrupts the attempt: %s', (error) => {
    expect(judge(attempt({ error }))).toMatchObject({ outcome: 'interrupted', permanent: false })
  })

  test('a result whose memory could not be kept is no result', () => {
    const error = Object.assign(new Error('changed'), { type: 'memory-conflict' })
    const verdict = judge(attempt({ error, ...ended({ outcome: 'completed', result: 1 }) }))
    expect(verdict).toMatchObject({ outcome: 'failed', error: { type: 'memory-conflict' } })
  })

  test('an attempt that completed before a shutdown reached it keeps its result', () => {
    const verdict = judge(
      attempt({ signal: AbortSignal.abort('shutdown'), ...ended({ outcome: 'completed', result: 1 }) }),
    )
    expect(verdict).toMatchObject({ outcome: 'completed', result: 1 })
  })

  test('the stack that BullMQ stores is the mapped one of the agent, not ours', () => {
    const error = { type: 'TypeError', message: 'x', stack: 'TypeError: x\n    at run (agents/a.ts:3:1)' }
    expect(toBullError(judge(attempt(ended({ outcome: 'failed', error })))).stack).toBe(error.stack)
  })
})
