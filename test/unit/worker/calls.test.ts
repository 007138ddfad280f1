import { afterEach, describe, expect, test, vi } from 'vitest'
import { silentLog } from '#lib/runtime'
import { type CallOptions, openCaller } from '../../../services/worker/calls.ts'

afterEach(() => void vi.unstubAllGlobals())

type Answer = (signal: AbortSignal) => Response | Promise<Response>

/** A caller whose producer answers as the table says; a GET that is not in it waits until it is cut short. */
function setup(answers: Partial<Record<'POST' | 'GET' | 'DELETE', Answer>> = {}) {
  const asked: string[] = []
  const stop = new AbortController()
  const waits = Promise.withResolvers<void>()
  const table: Record<string, Answer> = {
    POST: () => Response.json({ id: 'other.1' }, { status: 202 }),
    GET: (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
        waits.resolve()
      }),
    DELETE: () => Response.json({}, { status: 202 }),
    ...answers,
  }
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    asked.push(`${init.method} ${url.pathname}`)
    init.signal?.throwIfAborted()
    return await table[init.method!]!(init.signal!)
  })
  const caller = openCaller({ url: 'http://p', apiKey: 'k', log: silentLog, patienceMs: 500 })
  const options: CallOptions = {
    agentType: 'other',
    input: 1,
    parent: { id: 'a.1', job: {} },
    traceparent: '00-1',
    signal: stop.signal,
  }
  return { asked, stop, waits: waits.promise, caller, call: () => caller(options) }
}

const away = () => {
  throw new TypeError('fetch failed')
}

describe('a call that nobody waits for any more', () => {
  test('is cancelled, and says so', async () => {
    const { asked, stop, waits, call, caller } = setup()
    const calling = call()
    await waits
    stop.abort()
    await expect(calling).rejects.toMatchObject({ type: 'cancelled', name: 'CallError' })
    await caller[Symbol.asyncDispose]()
    expect(asked).toEqual(['POST /v1/requests', 'GET /v1/requests/other.1', 'DELETE /v1/requests/other.1'])
  })

  test('is cancelled too when that comes before the producer has said its id', async () => {
    const { asked, stop, call, caller } = setup({
      POST: () => {
        stop.abort()
        return Response.json({ id: 'other.1' }, { status: 202 })
      },
    })
    await expect(call()).rejects.toMatchObject({ type: 'cancelled' })
    await caller[Symbol.asyncDispose]()
    expect(asked.at(-1)).toBe('DELETE /v1/requests/other.1')
  })

  test('is not made at all when the attempt is over before', async () => {
    const { asked, stop, call } = setup()
    stop.abort()
    await expect(call()).rejects.toMatchObject({ type: 'cancelled' })
    expect(asked).toEqual([])
  })

  test('is cancelled as soon as the producer is back, and a worker that ends waits for it', async () => {
    let left = 2
    const { asked, stop, waits, call, caller } = setup({
      DELETE: () => (left-- > 0 ? away() : Response.json({}, { status: 202 })),
    })
    const calling = call()
    await waits
    stop.abort()
    await expect(calling).rejects.toMatchObject({ type: 'cancelled' })
    await caller[Symbol.asyncDispose]()
    expect(asked.filter((one) => one.startsWith('DELETE'))).toHaveLength(3)
  })
})

test('a call that ended is not cancelled', async () => {
  const view = { state: 'ended', outcome: 'completed', result: 42 }
  const { asked, stop, call, caller } = setup({ GET: () => Response.json(view) })
  expect(await call()).toBe(42)
  stop.abort()
  await caller[Symbol.asyncDispose]()
  expect(asked).toEqual(['POST /v1/requests', 'GET /v1/requests/other.1'])
})
