import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AttemptBudget, callModel, streamModel, Upstream } from '#lib/broker'
import { silentLog } from '#lib/runtime'
import { MASK } from '#lib/secrets'
import type { GenerateRequest, StreamLine } from '#lib/wire'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AcceptedKeys } from '../../services/dev/models/keys.ts'
import { StandIn } from '../../services/dev/models/server.ts'
import { serve } from '../support/tiny-upstream.ts'

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

const limits = (timeoutMs: number, signal = new AbortController().signal) => ({
  budget: new AttemptBudget(),
  signal,
  timeoutMs,
})
const model = (
  provider: 'anthropic' | 'openai',
  request: GenerateRequest,
  { key = KEY, timeoutMs = 60_000 } = {},
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
    const call = { ...model(provider, { prompt: '[[stand-in:hang]]' }), limits: limits(60_000, stop.signal) }
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
