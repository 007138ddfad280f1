import { Readable } from 'node:stream'
import { BrokerError } from '#lib/agent'
import { expect, test } from 'vitest'
import * as z from 'zod'
import type { Broker } from '../../../libs/context/child/broker.ts'
import { createModel } from '../../../libs/context/child/model.ts'

const FACTS = { text: '', toolCalls: [], model: 'm', finishReason: 'stop', usage: {} }

/** `ctx.model` over a broker that answers one thing, and what it was asked. */
function setup(result: object, lines: string[] = [JSON.stringify({ end: { ...FACTS, ...result } })]) {
  const asked: any[] = []
  const broker = {
    BrokerError,
    json: async (_method: string, _path: string, body: unknown) => {
      asked.push(JSON.parse(JSON.stringify(body)))
      return { ...FACTS, ...result }
    },
    request: async ({ body }: { body: string }) => {
      asked.push(JSON.parse(body))
      return {
        response: Object.assign(Readable.from([Buffer.from(`${lines.join('\n')}\n`)]), { statusCode: 200 }),
      }
    },
  } as unknown as Broker
  return { asked, model: createModel(broker) }
}

const City = z.object({ city: z.string() })

test('schemas travel as JSON Schema, from a library or as they are', async () => {
  const { asked, model } = setup({})
  const plain = { type: 'object', properties: {} }
  await model.generate({
    prompt: 'hi',
    tools: { weather: { description: 'of a city', input: City }, time: { input: plain } },
    output: City,
  })
  expect(asked[0]).toMatchObject({
    prompt: 'hi',
    tools: [
      { name: 'weather', description: 'of a city', input: { properties: { city: { type: 'string' } } } },
      { name: 'time', input: plain },
    ],
    output: { required: ['city'] },
  })
})

test('an answer is parsed by the schema that asked for it', async () => {
  const { model } = setup({ text: '{"city":"Bonn"}', output: { city: 'Bonn', more: 1 } })
  const answer = await model.generate({ prompt: 'hi', output: City })
  expect(answer.output).toEqual({ city: 'Bonn' })
  expect(String(answer)).toBe('{"city":"Bonn"}')
})

test('an answer that does not fit is an error with a type', async () => {
  const { model } = setup({ output: { city: 7 } })
  await expect(model.generate({ prompt: 'hi', output: City })).rejects.toMatchObject({
    name: 'BrokerError',
    type: 'invalid-answer',
  })
})

test('a schema that cannot say itself as JSON Schema is refused by its field, before anything is asked', async () => {
  const { asked, model } = setup({})
  const input = { parse: (value: unknown) => value }
  await expect(model.generate({ prompt: 'hi', tools: { odd: { input } } })).rejects.toThrow('tools.odd.input')
  expect(asked).toEqual([])
})

test('a stream gives pieces, and then its whole answer with the calls of tools', async () => {
  const toolCalls = [{ id: '1', name: 'weather', input: { city: 'Bonn' } }]
  const end = { ...FACTS, text: 'ab', toolCalls }
  const { model } = setup({}, ['{"delta":"a"}', '{"delta":"b"}', JSON.stringify({ end })])
  const stream = model.stream({ prompt: 'hi' })
  expect(await Array.fromAsync(stream)).toEqual(['a', 'b'])
  expect(await stream.answer).toMatchObject({ text: 'ab', toolCalls })
})

test('a stream that nobody reads to its end has no answer', async () => {
  const { model } = setup({}, ['{"delta":"a"}', '{"delta":"b"}'])
  const stream = model.stream({ prompt: 'hi' })
  for await (const _ of stream) break
  await expect(stream.answer).rejects.toMatchObject({ type: 'upstream' })
})
