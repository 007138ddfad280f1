import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import {
  AttemptBudget,
  callModel,
  REQUEST_BODY_BYTES,
  RESPONSE_BODY_BYTES,
  streamModel,
  Upstream,
} from '#lib/broker'
import { silentLog } from '#lib/runtime'
import { MASK } from '#lib/secrets'
import type { GenerateRequest, StreamLine } from '#lib/wire'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { AcceptedKeys } from '../../services/dev/models/keys.ts'
import { StandIn } from '../../services/dev/models/server.ts'

const KEY = 'sk-ant-canary-0123456789'
const folder = mkdtempSync(join(tmpdir(), 'tb-broker-'))
let standIn: StandIn
let upstream: Upstream
beforeAll(async () => {
  const file = join(folder, 'keys.json')
  writeFileSync(file, JSON.stringify({ anthropic: [KEY], openai: [KEY] }))
  standIn = await StandIn.open({ host: '127.0.0.1', port: 0, keys: new AcceptedKeys(file), log: silentLog })
  upstream = Upstream.open()
})
afterAll(async () => {
  await upstream[Symbol.asyncDispose]()
  await standIn[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const limits = (timeoutMs = 5000, signal = new AbortController().signal) => ({
  budget: new AttemptBudget(),
  signal,
  timeoutMs,
})
const model = (
  provider: 'anthropic' | 'openai',
  request: GenerateRequest,
  { key = KEY, timeoutMs = 5000 } = {},
) => ({
  upstream,
  provider,
  secret: {
    egress: {
      baseUrl: standIn.url,
      header: provider === 'anthropic' ? 'x-api-key: {value}' : 'authorization: Bearer {value}',
      allow: ['POST /v1/messages', 'POST /v1/chat/completions'],
    },
    reveal: () => key,
  },
  request: { model: provider === 'anthropic' ? 'claude-sonnet-4-5' : 'gpt-4-turbo', ...request },
  limits: limits(timeoutMs),
})

describe.each(['anthropic', 'openai'] as const)('a model of %s', (provider) => {
  test('answers with text and usage', async () => {
    const answer = await callModel(
      model(provider, {
        system: 'Translate to SQL.\nboats(id, hull)',
        prompt: 'How many boats?',
        maxTokens: 50,
      }),
    )
    expect(answer).toMatchObject({ text: 'SELECT COUNT(*) FROM boats', finishReason: 'stop' })
    expect(answer.usage.inputTokens).toBeGreaterThan(0)
    expect(answer.usage.outputTokens).toBeGreaterThan(0)
  })

  test.each([
    ['[[stand-in:429]]', 'upstream-rate-limited'],
    ['[[stand-in:500]]', 'upstream-failed'],
    ['[[stand-in:400]]', 'upstream-rejected'],
    ['[[stand-in:302]]', 'upstream-failed'],
  ])('that answers %s gives %s, asked once', async (prompt, type) => {
    const call = model(provider, { prompt })
    await expect(callModel(call)).rejects.toMatchObject({ type })
    expect(call.limits.budget.calls).toBe(1)
  })

  test('a wait that the provider asks for is kept', () =>
    expect(callModel(model(provider, { prompt: '[[stand-in:429]]' }))).rejects.toMatchObject({
      retryAfterMs: 1000,
    }))

  test('that refuses the key gives upstream-unauthorized without the key', async () => {
    const key = 'sk-wrong-canary-99887766'
    const error = await callModel(model(provider, { prompt: 'hi' }, { key })).catch((caught: Error) => caught)
    expect(error).toMatchObject({ type: 'upstream-unauthorized' })
    expect(JSON.stringify([error, (error as Error).message, (error as Error).stack])).not.toContain('canary')
  })

  test('that says nothing gives upstream-timeout', () =>
    expect(
      callModel(model(provider, { prompt: '[[stand-in:hang]]' }, { timeoutMs: 150 })),
    ).rejects.toMatchObject({
      type: 'upstream-timeout',
    }))

  test('I7: that echoes the key gives a mask, whole or streamed word by word', async () => {
    const request = { prompt: '[[stand-in:echo-key]]' }
    expect((await callModel(model(provider, request))).text).toBe(`The key is ${MASK}.`)
    const lines: StreamLine[] = []
    for await (const line of streamModel(model(provider, request))) lines.push(line)
    expect(lines.map((line) => ('delta' in line ? line.delta : '')).join('')).toBe(`The key is ${MASK}.`)
    expect(lines.at(-1)).toMatchObject({ end: { text: `The key is ${MASK}.`, finishReason: 'stop' } })
  })

  test('streams an error as an error', async () => {
    const lines = streamModel(model(provider, { prompt: '[[stand-in:500]]' }))
    await expect(lines.next()).rejects.toMatchObject({ type: 'upstream-failed' })
  })

  test('ends with its attempt, for the reason of its end', async () => {
    const stop = new AbortController()
    const call = { ...model(provider, { prompt: '[[stand-in:hang]]' }), limits: limits(5000, stop.signal) }
    const answer = callModel(call)
    setImmediate(() => stop.abort(new Error('the attempt ended')))
    await expect(answer).rejects.toThrow('the attempt ended')
  })
})

test('I7: a key that is spread over several deltas is masked, and nothing of it is sent before', async () => {
  const pieces = ['The key is ', KEY.slice(0, 9), KEY.slice(9, 15), `${KEY.slice(15)}, sk-`, 'apple']
  const url = await serve((_, response) => {
    response.setHeader('content-type', 'text/event-stream')
    for (const content of pieces) {
      const choices = [{ index: 0, delta: { content }, finish_reason: null }]
      response.write(`data: ${JSON.stringify({ id: 'x', model: 'gpt', choices })}\n\n`)
    }
    response.end('data: [DONE]\n\n')
  })
  const call = model('openai', { prompt: 'hi' })
  call.secret.egress.baseUrl = url
  let text = ''
  for await (const line of streamModel(call)) if ('delta' in line) text += line.delta
  expect(text).toBe(`The key is ${MASK}, sk-apple`)
})

test('a provider cannot claim tokens that no model has', async () => {
  const url = await serve((_, response) =>
    response.setHeader('content-type', 'application/json').end(
      JSON.stringify({
        id: 'x',
        model: 'gpt-4-turbo',
        choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: -5, completion_tokens: 1e300 },
      }),
    ),
  )
  const call = model('openai', { prompt: 'hi' })
  call.secret.egress.baseUrl = url
  expect((await callModel(call)).usage).toEqual({ inputTokens: 0, outputTokens: 10_000_000 })
})

const call = (url: string, path = '/echo', extra: object = {}) =>
  upstream.send(
    {
      secret: {
        egress: { baseUrl: url, header: 'x-key: {value}', allow: ['GET /echo', 'POST /echo'] },
        reveal: () => KEY,
      },
      method: 'GET',
      address: `${url}${path}`,
      headers: [['authorization', 'mine']],
      ...extra,
    },
    limits(),
  )

describe('a call through the broker', () => {
  test('carries the key in its header alone, and hides it from the answer, head and body', async () => {
    const url = await serve((request, response) => {
      response.setHeader('x-echo', String(request.headers['x-key']))
      response.write(String(request.headers['x-key']).slice(0, 9))
      setTimeout(
        () => response.end(`${String(request.headers['x-key']).slice(9)} ${JSON.stringify(request.headers)}`),
        20,
      )
    })
    const answer = await call(url)
    const body = await text(answer.body)
    expect(answer.headers['x-echo']).toBe(MASK)
    expect(body).toContain(MASK)
    expect(body).not.toContain('canary')
    expect(body).not.toContain('mine')
  })

  test('follows no redirect', async () => {
    let hits = 0
    const url = await serve((_, response) => {
      hits++
      response.writeHead(302, { location: '/echo' }).end()
    })
    expect((await call(url)).status).toBe(302)
    expect(hits).toBe(1)
  })

  test('refuses an encoded answer and an endless one', async () => {
    const gzip = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    )
    await expect(call(gzip)).rejects.toMatchObject({ type: 'egress-refused' })
    const endless = await serve((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more).on('error', () => {})
      more()
    })
    const answer = await call(endless)
    let bytes = 0
    await expect(
      (async () => {
        for await (const chunk of answer.body) bytes += (chunk as Buffer).length
      })(),
    ).rejects.toMatchObject({ type: 'response-too-large' })
    expect(bytes).toBeLessThanOrEqual(RESPONSE_BODY_BYTES)
  })

  test('sends nothing of a body that is too long', async () => {
    let hits = 0
    const url = await serve((_, response) => response.end(String(++hits)))
    const body = Buffer.alloc(REQUEST_BODY_BYTES + 1)
    await expect(call(url, '/echo', { method: 'POST', body })).rejects.toMatchObject({
      type: 'request-too-large',
    })
    expect(hits).toBe(0)
  })

  test('G10: refuses a body in a transfer coding that cannot be searched', async () => {
    const url = await serve((_, response) =>
      response.socket!.end('HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'),
    )
    await expect(call(url)).rejects.toMatchObject({ type: 'egress-refused' })
  })

  test('G10: passes no trailer on, in which the value could come back', async () => {
    const url = await serve((request, response) => {
      response.writeHead(200, { trailer: 'x-echo' }).write('body')
      response.addTrailers({ 'x-echo': String(request.headers['x-key']) })
      response.end()
    })
    const answer = await call(url)
    expect(await text(answer.body)).toBe('body')
    expect(JSON.stringify(answer)).not.toContain('canary')
  })

  test('G10: dials no address inside that is not listed, whatever its name resolves to', async () => {
    let hits = 0
    const { port } = new URL(await serve((_, response) => response.end(String(++hits))))
    await using inside = Upstream.open({
      resolve: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
    })
    const url = `http://api.example.com:${port}`
    const ask = (networks: string[]) => {
      const egress = { baseUrl: url, header: 'x-key: {value}', allow: ['GET /echo'], networks }
      const secret = { egress, reveal: () => KEY }
      return inside.send({ secret, method: 'GET', address: `${url}/echo`, headers: [] }, limits())
    }
    expect((await ask(['127.0.0.0/8'])).status).toBe(200)
    for (const networks of [[], ['10.0.0.0/8']])
      await expect(ask(networks)).rejects.toMatchObject({ type: 'egress-refused' })
    expect(hits).toBe(1)
  })

  test('a host that is not there gives upstream-failed', async () => {
    const url = await serve(() => {}, { closed: true })
    await expect(call(url)).rejects.toMatchObject({ type: 'upstream-failed' })
  })
})

async function serve(listener: RequestListener, { closed = false } = {}): Promise<string> {
  const server: Server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () => void [server.closeAllConnections(), server.close()]
  if (closed) close()
  else onTestFinished(close)
  return `http://127.0.0.1:${port}`
}
