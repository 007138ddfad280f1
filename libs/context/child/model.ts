import type { AgentModel, Generated, GenerateOptions, ModelTool, Schema } from '#lib/agent'
import type { GenerateRequest, GenerateResult, JsonSchema, StreamLine } from '#lib/wire'
import { type Broker, readText } from './broker.ts'
import { jsonSchemaOf } from './json-schema.ts'

/** `ctx.model`: one small request for an answer, a held connection for a stream. */
export function createModel(broker: Broker): AgentModel {
  return {
    async generate(options) {
      const result = await broker.json<GenerateResult>('POST', '/v1/model/generate', requestOf(options))
      return generated(broker, options, result)
    },
    stream: (options) => streamed(broker, options),
  }
}

function streamed<T>(broker: Broker, options: GenerateOptions<T>) {
  const answer = Promise.withResolvers<Generated<T>>()
  answer.promise.catch(() => {}) // whoever does not ask for it has read the error from the pieces
  return Object.assign(stream(broker, options, answer), { answer: answer.promise })
}

/** The question as it travels: schemas as JSON Schema, tools as a list. */
function requestOf<T>({ tools, output, ...rest }: GenerateOptions<T>): GenerateRequest {
  const list = Object.entries(tools ?? {}).map(([name, { input, description }]: [string, ModelTool]) => ({
    name,
    input: described(input, `tools.${name}.input`, 'input'),
    ...(description === undefined ? {} : { description }),
  }))
  return {
    ...rest,
    ...(list.length > 0 ? { tools: list } : {}),
    ...(output ? { output: described(output, 'output', 'input') } : {}),
  }
}

function described(schema: object, field: string, side: 'input' | 'output'): JsonSchema {
  if (!isSchema(schema)) return schema as JsonSchema
  const found = jsonSchemaOf(schema, side)
  if (!found)
    throw new TypeError(`${field}: expected a schema that can say itself as JSON Schema, such as zod's`)
  return found
}

const isSchema = (schema: object): schema is Schema<unknown> =>
  typeof (schema as { parse?: unknown }).parse === 'function'

/** The answer, checked by the schema that asked for it. @throws BrokerError `invalid-answer` when it does not fit */
function generated<T>(
  { BrokerError }: Broker,
  { output: schema }: GenerateOptions<T>,
  result: GenerateResult,
): Generated<T> {
  const { output, ...rest } = result
  const answer: Generated<T> = { ...rest, toString: () => result.text }
  if (output === undefined) return answer
  try {
    return { ...answer, output: (schema && isSchema(schema) ? schema.parse(output) : output) as T }
  } catch (error) {
    throw new BrokerError(
      'invalid-answer',
      `the model's answer does not fit its schema: ${(error as Error).message}`,
    )
  }
}

async function* stream<T>(
  broker: Broker,
  options: GenerateOptions<T>,
  answer: PromiseWithResolvers<Generated<T>>,
): AsyncGenerator<string> {
  try {
    for await (const part of parts(broker, requestOf(options))) {
      if ('error' in part) throw new broker.BrokerError(part.error.type, part.error.message)
      if ('end' in part) return answer.resolve(generated(broker, options, part.end))
      yield part.delta
    }
    throw new broker.BrokerError('upstream', 'the stream ended before the answer did')
  } catch (error) {
    answer.reject(error)
    throw error
  } finally {
    answer.reject(new broker.BrokerError('upstream', 'the stream was not read to its end'))
  }
}

async function* parts(broker: Broker, asked: GenerateRequest): AsyncGenerator<StreamLine> {
  const headers = { 'content-type': 'application/json' }
  const request = { method: 'POST', path: '/v1/model/stream', headers, body: JSON.stringify(asked) }
  const { response } = await broker.request(request, 'held')
  if (response.statusCode! >= 300) throw broker.errorOf(response.statusCode!, await readText(response))
  for await (const line of lines(response)) yield JSON.parse(line) as StreamLine
}

async function* lines(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let held = ''
  for await (const chunk of body) {
    const parts = (held + decoder.decode(chunk, { stream: true })).split('\n')
    held = parts.pop()!
    yield* parts.filter(Boolean)
  }
  if (held) yield held
}
