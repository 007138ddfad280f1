import type { AgentModel, Generated, GenerateOptions } from '#lib/agent'
import type { GenerateResult, StreamLine } from '#lib/wire'
import { type Broker, readText } from './broker.ts'

/** `ctx.model`: one small request for an answer, a held connection for a stream. */
export function createModel(broker: Broker): AgentModel {
  return {
    async generate(options) {
      const result = await broker.json<GenerateResult>('POST', '/v1/model/generate', options)
      return { ...result, toString: () => result.text } satisfies Generated
    },
    stream: (options) => stream(broker, options),
  }
}

async function* stream(broker: Broker, options: GenerateOptions): AsyncGenerator<string> {
  const headers = { 'content-type': 'application/json' }
  const request = { method: 'POST', path: '/v1/model/stream', headers, body: JSON.stringify(options) }
  const { response } = await broker.request(request, 'held')
  if (response.statusCode! >= 300) throw broker.errorOf(response.statusCode!, await readText(response))
  for await (const line of lines(response)) {
    const part = JSON.parse(line) as StreamLine
    if ('error' in part) throw new broker.BrokerError(part.error.type, part.error.message)
    if ('end' in part) return
    yield part.delta
  }
  throw new broker.BrokerError('upstream', 'the stream ended before the answer did')
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
