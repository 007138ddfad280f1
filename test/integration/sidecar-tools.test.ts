import type { ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { AttemptBudget, callModel, streamModel, Upstream } from '#lib/broker'
import { MASK } from '#lib/secrets'
import type { GenerateRequest, GenerateResult, StreamLine } from '#lib/wire'
import { afterAll, describe, expect, test } from 'vitest'
import { serve } from '../support/tiny-upstream.ts'

const KEY = 'sk-ant-canary-0123456789'
const upstream = Upstream.open()
afterAll(() => upstream[Symbol.asyncDispose]())

type Provider = 'anthropic' | 'openai'
/** What a model says in a test: text, or one call of a tool. */
type Said = { text: string } | { call: { name: string; input: unknown } }

/** A provider that says one thing, whole or as a stream, and keeps what it was asked. */
async function setup(provider: Provider, said: Said, path = '') {
  const asked: any[] = []
  const url = await serve(async (request, response) => {
    const body = await json(request)
    asked.push({ ...(body as object), url: request.url })
    const { stream } = body as { stream?: boolean }
    const answer = provider === 'anthropic' ? anthropicSays(said) : openaiSays(said)
    if (stream) sendEvents(response, answer.events)
    else sendJson(response, answer.whole)
  })
  const call = (request: GenerateRequest) => ({
    upstream,
    provider,
    secret: {
      egress: { baseUrl: `${url}${path}`, header: 'x-api-key: {value}', allow: ['POST /*'] },
      reveal: () => KEY,
    },
    request: { model: provider === 'anthropic' ? 'claude-sonnet-4-5' : 'gpt-4-turbo', ...request },
    limits: { budget: new AttemptBudget(), signal: new AbortController().signal, timeoutMs: 60_000 },
  })
  return {
    asked,
    generate: (request: GenerateRequest) => callModel(call(request)),
    stream: async (request: GenerateRequest): Promise<{ deltas: string; end: GenerateResult }> => {
      const lines: StreamLine[] = await Array.fromAsync(streamModel(call(request)))
      const { end } = lines.at(-1) as { end: GenerateResult }
      return { deltas: lines.map((line) => ('delta' in line ? line.delta : '')).join(''), end }
    },
  }
}

function anthropicSays(said: Said) {
  const block =
    'text' in said
      ? { type: 'text', text: said.text }
      : { type: 'tool_use', id: 'call_1', name: said.call.name, input: said.call.input }
  const message = { id: 'm', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5' }
  const usage = { input_tokens: 3, output_tokens: 5 }
  const stop_reason = 'text' in said ? 'end_turn' : 'tool_use'
  const delta =
    'text' in said
      ? { type: 'text_delta', text: said.text }
      : { type: 'input_json_delta', partial_json: JSON.stringify(said.call.input) }
  const empty = 'text' in said ? { ...block, text: '' } : { ...block, input: {} }
  return {
    whole: { ...message, content: [block], stop_reason, stop_sequence: null, usage },
    events: [
      { type: 'message_start', message: { ...message, content: [], stop_reason: null, usage } },
      { type: 'content_block_start', index: 0, content_block: empty },
      { type: 'content_block_delta', index: 0, delta },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage },
      { type: 'message_stop' },
    ].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
  }
}

function openaiSays(said: Said) {
  const made =
    'text' in said
      ? { content: said.text }
      : {
          content: null,
          tool_calls: [
            {
              index: 0,
              id: 'call_1',
              type: 'function',
              function: { name: said.call.name, arguments: JSON.stringify(said.call.input) },
            },
          ],
        }
  const finish_reason = 'text' in said ? 'stop' : 'tool_calls'
  const head = { id: 'x', created: 1, model: 'gpt-4-turbo' }
  const usage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 }
  const chunks = [
    { ...head, choices: [{ index: 0, delta: { role: 'assistant', ...made }, finish_reason: null }] },
    { ...head, choices: [{ index: 0, delta: {}, finish_reason }], usage },
  ]
  return {
    whole: {
      ...head,
      choices: [{ index: 0, message: { role: 'assistant', ...made }, finish_reason }],
      usage,
    },
    events: [...chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), 'data: [DONE]\n\n'],
  }
}

function sendJson(response: ServerResponse, body: object): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
}

function sendEvents(response: ServerResponse, events: string[]): void {
  response.setHeader('content-type', 'text/event-stream')
  for (const event of events) response.write(event)
  response.end()
}

const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const TOOLS = [{ name: 'weather', description: 'of a city', input: CITY }]

describe.each(['anthropic', 'openai'] as const)('a model of %s', (provider) => {
  test('is told of tools, and its call of one is the answer, whole or streamed', async () => {
    const { generate, stream, asked } = await setup(provider, {
      call: { name: 'weather', input: { city: 'Bonn' } },
    })
    const request = { prompt: 'hi', tools: TOOLS, toolChoice: { tool: 'weather' } } as const
    const expected = {
      text: '',
      toolCalls: [{ id: 'call_1', name: 'weather', input: { city: 'Bonn' } }],
      finishReason: 'tool-calls',
    }
    expect(await generate(request)).toMatchObject(expected)
    expect((await stream(request)).end).toMatchObject(expected)
    for (const body of asked)
      expect(JSON.stringify(body)).toMatch(/"of a city".*"city".*|"city".*"of a city"/)
  })

  test('is told what a tool gave', async () => {
    const { generate, asked } = await setup(provider, { text: 'It rains.' })
    const toolCalls = [{ id: 'call_1', name: 'weather', input: { city: 'Bonn' } }]
    const answer = await generate({
      tools: TOOLS,
      messages: [
        { role: 'user', content: 'Weather?' },
        { role: 'assistant', content: '', toolCalls },
        { role: 'tool', toolCallId: 'call_1', name: 'weather', content: { rain: true } },
      ],
    })
    expect(answer).toMatchObject({ text: 'It rains.', toolCalls: [] })
    expect(JSON.stringify(asked[0])).toContain('call_1')
    expect(JSON.stringify(asked[0])).toMatch(/rain\\*":true/)
  })

  test('answers with the JSON that was asked for, whole or streamed', async () => {
    const { generate, stream } = await setup(provider, { text: '{"city":"Bonn"}' })
    const request = { prompt: 'Where?', output: CITY }
    expect((await generate(request)).output).toEqual({ city: 'Bonn' })
    const { deltas, end } = await stream(request)
    expect(end.output).toEqual({ city: 'Bonn' })
    expect(deltas).toBe('{"city":"Bonn"}')
  })

  test('that answers with no JSON is an error', async () => {
    const { generate, stream } = await setup(provider, { text: 'Bonn, I think' })
    const request = { prompt: 'Where?', output: CITY }
    await expect(generate(request)).rejects.toMatchObject({ type: 'upstream-failed' })
    await expect(stream(request)).rejects.toMatchObject({ type: 'upstream-failed' })
  })

  test('I7: that puts the key into a tool’s input gives a mask', async () => {
    const { generate, stream } = await setup(provider, {
      call: { name: 'weather', input: { city: `of ${KEY}` } },
    })
    const request = { prompt: 'hi', tools: TOOLS }
    const expected = [{ name: 'weather', input: { city: `of ${MASK}` } }]
    expect((await generate(request)).toolCalls).toMatchObject(expected)
    expect((await stream(request)).end.toolCalls).toMatchObject(expected)
  })
})

test('a service that speaks as OpenAI does is asked below its own base-url', async () => {
  const { generate, asked } = await setup('openai', { text: 'hi' }, '/serving/v2')
  expect((await generate({ prompt: 'hi', model: 'llama-3' })).text).toBe('hi')
  expect(asked[0]).toMatchObject({ url: '/serving/v2/chat/completions', model: 'llama-3' })
})
