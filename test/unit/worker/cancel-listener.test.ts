import { EventEmitter, once } from 'node:events'
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { queueOf } from '#lib/queue'
import { silentLog } from '#lib/runtime'
import { CancelListener } from '../../../services/worker/cancel-listener.ts'

const queue = queueOf({ cluster: 'c', environment: 'e' }, 'a')
const entry = (id: string, at: string) => [[queue.key('tb:cancels'), [[at, ['id', id]]]]]

const broken = () => {
  throw new Error('NOPERM')
}

/** A listener whose channel answers with these, one after the other, and then is silent for ever. */
async function setup(options: { answers: (() => unknown)[]; running?: string[]; marked?: string[] }) {
  const { answers, running = [], marked = [] } = options
  const told = new EventEmitter()
  const reads: string[] = []
  const settled: string[] = []
  const redis = {
    xrevrange: async () => [['5-0', []]],
    hget: async (key: string) => (marked.some((id) => key === queue.key(id)) ? '7' : null),
    eval: async (_script: string, ...args: unknown[]) => {
      settled.push(args[10] as string)
      told.emit('settled')
      return 'ended'
    },
  }
  const channel = {
    xread: async (...args: unknown[]) => {
      reads.push(args.at(-1) as string)
      const next = answers.shift()
      if (next) return next()
      told.emit('idle')
      return await new Promise(() => {})
    },
    disconnect: () => {},
  }
  const aborted: string[] = []
  const idle = once(told, 'idle')
  const listener = await CancelListener.open({
    queue,
    redis: redis as unknown as Redis,
    channel: channel as unknown as Redis,
    running: () => running,
    abort: (id) => running.includes(id) && aborted.push(id) > 0,
    log: silentLog,
  })
  await idle
  return Object.assign(listener, { aborted, reads, settled })
}

describe('a worker hears of a cancel', () => {
  test('by the channel, which it reads from where it was when it was opened, and on from there', async () => {
    await using listener = await setup({ answers: [() => entry('a.1', '6-0')], running: ['a.1', 'a.2'] })
    expect(listener.aborted).toEqual(['a.1'])
    expect(listener.reads).toEqual(['5-0', '6-0'])
    expect(listener.settled).toEqual([])
  })

  test('of a request that it does not run: it is remembered, and ended where it waits', async () => {
    await using listener = await setup({ answers: [() => entry('a.9', '6-0')], marked: ['a.8', 'a.9'] })
    await expect.poll(() => listener.settled).toEqual(['a.9'])
    expect(await listener.isCancelled('a.9')).toBe(true)
    await listener.settle('a.8')
    expect(listener.settled).toEqual(['a.9'])
  })

  test('of a request whose id has been used again since: the new one is left alone', async () => {
    await using listener = await setup({ answers: [() => entry('a.9', '6-0')], marked: [] })
    expect(await listener.isCancelled('a.9')).toBe(false)
    await listener.settle('a.9')
    expect(listener.settled).toEqual([])
  })

  test('by the mark of a running request after a silence', async () => {
    const options = { answers: [() => null], running: ['a.1', 'a.2'], marked: ['a.2', 'a.3'] }
    await using listener = await setup(options)
    expect(listener.aborted).toEqual(['a.2'])
    expect(listener.reads).toEqual(['5-0', '5-0'])
  })

  test('by the mark while the channel cannot be read, and by the channel again after it', async () => {
    const options = { answers: [broken, broken, () => entry('a.1', '6-0')], running: ['a.1', 'a.2'] }
    await using listener = await setup({ ...options, marked: ['a.2'] })
    expect(listener.aborted).toEqual(['a.2', 'a.2', 'a.1'])
  })

  test('of the last thousand alone: what it remembers does not grow', async () => {
    const answers = Array.from({ length: 1001 }, (_, n) => () => entry(`a.${n}`, `${6 + n}-0`))
    const ids = ['a.0', 'a.1', 'a.1000']
    await using listener = await setup({ answers, marked: ids })
    const cancelled = await Promise.all(ids.map((id) => listener.isCancelled(id)))
    expect(cancelled).toEqual([false, true, true])
  })
})
