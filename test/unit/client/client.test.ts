import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RequestFailedError, ThreadboundClient, ThreadboundError } from '../../../libs/client/index.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

interface Sent {
  url: string
  init: RequestInit
}

/** A client whose producer answers with these, one after the other; the last one for ever. */
function setup(...answers: (() => Response)[]) {
  const sent: Sent[] = []
  const fetch = async (url: string | URL | Request, init: RequestInit = {}) => {
    sent.push({ url: url as string, init })
    init.signal?.throwIfAborted()
    return answers[Math.min(sent.length, answers.length) - 1]!()
  }
  const client = new ThreadboundClient({ url: 'http://p/', apiKey: 'tbk_1', fetch })
  return { client, sent, bodies: () => sent.map(({ init }) => JSON.parse(init.body as string)) }
}
const json =
  (body: unknown, status = 200, headers = {}) =>
  () =>
    Response.json(body, { status, headers })
const lost = () => {
  throw new TypeError('fetch failed')
}
const accepted = json({ id: 'a.1', traceId: 't', url: '/v1/requests/a.1' }, 202)

/** Lets fake time pass until the work has ended. */
async function settled<T>(work: Promise<T>): Promise<T | ThreadboundError> {
  const end = work.catch((error: unknown) => error as ThreadboundError)
  await vi.runAllTimersAsync()
  return await end
}

describe('enqueue', () => {
  test('sends agent, input, metadata and the key', async () => {
    const { client, sent, bodies } = setup(accepted)
    expect(await client.enqueue('a', { q: 1 }, { idempotencyKey: 'k', metadata: { m: '1' } })).toMatchObject({
      id: 'a.1',
    })
    expect(sent[0]!.url).toBe('http://p/v1/requests')
    expect(sent[0]!.init.headers).toMatchObject({ authorization: 'Bearer tbk_1' })
    expect(bodies()).toEqual([{ agent: 'a', input: { q: 1 }, idempotencyKey: 'k', metadata: { m: '1' } }])
  })

  test('a lost answer is asked for again under the same idempotency key, which differs between calls', async () => {
    const { client, bodies } = setup(lost, lost, accepted)
    expect(await settled(client.enqueue('a', 1))).toMatchObject({ id: 'a.1' })
    await client.enqueue('a', 1)
    const keys = bodies().map(({ idempotencyKey }) => idempotencyKey)
    expect(new Set(keys.slice(0, 3)).size).toBe(1)
    expect(keys[3]).not.toBe(keys[0])
  })

  test('a 503 is asked again, and given up after five attempts', async () => {
    const away = json({ type: 'queue-unavailable', detail: 'Redis' }, 503, { 'retry-after': '1' })
    const { client, sent } = setup(away)
    expect(await settled(client.enqueue('a', 1))).toMatchObject({ status: 503, type: 'queue-unavailable' })
    expect(sent).toHaveLength(5)
  })

  test('a refusal is not repeated, and names status, type and field', async () => {
    const problem = { type: 'invalid-input', detail: 'input.q: must be string', field: 'input.q' }
    const { client, sent } = setup(json(problem, 400))
    const error = await settled(client.enqueue('a', 1))
    expect(error).toBeInstanceOf(ThreadboundError)
    expect(error).toMatchObject({
      status: 400,
      type: 'invalid-input',
      field: 'input.q',
      message: 'input.q: must be string',
    })
    expect(sent).toHaveLength(1)
  })

  test('a signal ends it with its reason, also between two attempts', async () => {
    const { client } = setup(lost)
    const stop = new AbortController()
    const work = client.enqueue('a', 1, { signal: stop.signal }).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(50)
    stop.abort(new Error('enough'))
    expect(await work).toMatchObject({ message: 'enough' })
  })
})

test('a call that is never answered is lost after 10 s beyond its wait', async () => {
  const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort(new Error('late')))
  const { client } = setup(accepted)
  expect(await settled(client.request('a.1'))).toMatchObject({
    type: 'network',
    message: expect.stringContaining('late'),
  })
  await settled(client.wait('a.1'))
  expect(timeout.mock.calls.at(0)).toEqual([10_000])
  expect(timeout.mock.calls.at(-1)).toEqual([40_000])
  timeout.mockRestore()
})

const running = json({ id: 'a.1', state: 'running' })
const slow = () => {
  vi.advanceTimersByTime(1000)
  return running()
}

test('cancel deletes the request, again after a lost answer, and gives it as it is', async () => {
  const { client, sent } = setup(lost, json({ id: 'a.1', state: 'running', cancelledAt: 7 }, 202))
  expect(await settled(client.cancel('a.1'))).toMatchObject({ state: 'running', cancelledAt: 7 })
  expect(sent.map(({ url, init }) => `${init.method} ${url}`)).toEqual([
    'DELETE http://p/v1/requests/a.1',
    'DELETE http://p/v1/requests/a.1',
  ])
})

describe('wait and run', () => {
  test('wait asks until the request has ended', async () => {
    const { client, sent } = setup(running, running, json({ state: 'ended', outcome: 'failed' }))
    expect(await client.wait('a.1')).toMatchObject({ outcome: 'failed' })
    expect(sent.map(({ url }) => url)).toEqual(Array(3).fill('http://p/v1/requests/a.1?wait=30000ms'))
  })

  test('wait gives up in time, with type timeout', async () => {
    const { client, sent } = setup(slow)
    expect(await settled(client.wait('a.1', { timeoutMs: 2500 }))).toMatchObject({ type: 'timeout' })
    expect(sent.map(({ url }) => url.split('=')[1])).toEqual(['2500ms', '1500ms', '500ms'])
  })

  test('run gives the result', async () => {
    const { client } = setup(accepted, json({ state: 'ended', outcome: 'completed', result: { answer: 1 } }))
    expect(await client.run<{ answer: number }>('a', 1)).toEqual({ answer: 1 })
  })

  test('run throws what the request failed with', async () => {
    const view = {
      id: 'a.1',
      state: 'ended',
      outcome: 'timed-out',
      error: { type: 'timed-out', message: '30 s' },
    }
    const { client } = setup(accepted, json(view))
    const error = await settled(client.run('a', 1))
    expect(error).toBeInstanceOf(RequestFailedError)
    expect(error).toMatchObject({ type: 'timed-out', request: { id: 'a.1' } })
  })
})
