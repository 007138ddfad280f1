import type { AttemptEnd } from '#lib/context'
import { silentLog } from '#lib/runtime'
import { describe, expect, test } from 'vitest'
import { Outgoing } from '../../../services/worker/outgoing.ts'
import { redactEnd } from '../../../services/worker/redact-end.ts'
import { type Redaction, RedactionError } from '../../../services/worker/redaction.ts'

/** An attempt's way out, and a sidecar that takes SECRET out of JSON, or fails from the question on that a test names. */
function setup({ handed = true, failsAt = Infinity } = {}) {
  const asked: string[] = []
  const found: string[] = []
  const redaction: Redaction = {
    ready() {},
    isNeeded: () => handed,
    async redact({ outlet, value, isLast }) {
      asked.push(`${outlet}${isLast ? ' end' : ''}`)
      if (asked.length > failsAt) throw new RedactionError('gone')
      const before = JSON.stringify(value)
      const after = before.replaceAll('SECRET', '[masked]')
      return { value: JSON.parse(after), found: after === before ? [] : ['key'] }
    },
    forget() {},
    onRevoked() {},
    async [Symbol.asyncDispose]() {},
  }
  const note = (secret: string) => void found.push(secret)
  const outgoing = new Outgoing({ grant: 'g', redaction, found: note, log: silentLog })
  const heard: unknown[] = []
  return { asked, found, outgoing, heard, hear: (value: unknown) => heard.push(value) }
}

const receipt = {} as AttemptEnd['receipt']
const failed = (error: AttemptEnd['error']): AttemptEnd => ({ outcome: 'failed', error: error!, receipt })

describe('what an attempt says', () => {
  test('passes at once and unasked while its context holds no value', () => {
    const { outgoing, asked, heard, hear } = setup({ handed: false })
    outgoing.pass('log', 'a SECRET', hear)
    outgoing.print('stdout', 'b', hear)
    expect(heard).toEqual(['a SECRET', 'b'])
    expect(asked).toEqual([])
  })

  test('I7: is cleared before it is handed on, in the order in which it was said', async () => {
    const { outgoing, found, heard, hear } = setup()
    outgoing.pass('emit', { one: 'SECRET' }, hear)
    outgoing.print('stderr', 'two SECRET', hear)
    const call = outgoing.clear('call', ['three'])
    outgoing.pass('span', 'four', hear)
    expect(heard).toEqual([])
    expect(await call).toEqual(['three'])
    await outgoing.settle()
    expect(heard).toEqual([{ one: '[masked]' }, 'two [masked]', 'four'])
    expect(found).toEqual(['key', 'key'])
  })

  test('ends its console output only after all of it', async () => {
    const { outgoing, asked, hear } = setup()
    outgoing.print('stdout', 'a', hear)
    outgoing.print('stdout', 'b', hear)
    await outgoing.settle()
    expect(asked).toEqual(['stdout', 'stdout', 'stdout end'])
  })

  test('I7: is withheld from the first question on that nobody answers, and asked no more', async () => {
    const { outgoing, asked, heard, hear } = setup({ failsAt: 1 })
    for (const word of ['one', 'two', 'three']) outgoing.pass('log', word, hear)
    await outgoing.settle()
    expect(heard).toEqual(['one'])
    expect(asked).toEqual(['log', 'log'])
    await expect(outgoing.clear('call', 'four')).rejects.toThrow(RedactionError)
  })

  test('goes on to the next when a place that it goes to throws', async () => {
    const { outgoing, heard, hear } = setup()
    outgoing.pass('log', 'one', () => {
      throw new Error('full')
    })
    outgoing.pass('log', 'two', hear)
    await outgoing.settle()
    expect(heard).toEqual(['two'])
  })
})

describe('how an attempt ended', () => {
  test('I7: is cleared: result and memory, or type, message and stack', async () => {
    const { outgoing } = setup()
    const end: AttemptEnd = { outcome: 'completed', result: ['SECRET'], memory: { a: 'SECRET' }, receipt }
    expect(await redactEnd(end, outgoing)).toEqual({
      outcome: 'completed',
      result: ['[masked]'],
      memory: { a: '[masked]' },
      receipt,
    })
    const error = { type: 'x:SECRET', message: 'm SECRET', stack: 's SECRET', permanent: true }
    expect(await redactEnd(failed(error), outgoing)).toEqual(
      failed({ type: 'masked', message: 'm [masked]', stack: 's [masked]', permanent: true }),
    )
  })

  test('a completed attempt has failed, retryably, when nobody can tell what may leave', async () => {
    const { outgoing } = setup({ failsAt: 0 })
    const end: AttemptEnd = { outcome: 'completed', result: 'SECRET', memory: 'SECRET', receipt }
    const redacted = await redactEnd(end, outgoing)
    expect(redacted).toMatchObject({ outcome: 'failed', error: { type: 'redaction-unavailable' } })
    expect(redacted.error?.permanent).toBeUndefined()
    expect(JSON.stringify(redacted)).not.toContain('SECRET')
  })

  test('a failed attempt loses its words then, and stays as permanent as it was', async () => {
    const { outgoing } = setup({ failsAt: 0 })
    const error = { type: 'x', message: 'SECRET', stack: 'SECRET', permanent: true }
    const redacted = await redactEnd(failed(error), outgoing)
    expect(redacted).toMatchObject({
      outcome: 'failed',
      error: { type: 'redaction-unavailable', permanent: true },
    })
    expect(JSON.stringify(redacted)).not.toContain('SECRET')
  })

  test('an outcome that we gave keeps our words', async () => {
    const { outgoing } = setup({ failsAt: 0 })
    const error = { type: 'timed-out', message: 'longer than 30 ms' }
    const end: AttemptEnd = { outcome: 'timed-out', error, receipt }
    expect(await redactEnd(end, outgoing)).toEqual(end)
  })
})
