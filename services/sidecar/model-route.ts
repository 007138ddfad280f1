import type { ServerResponse } from 'node:http'
import { type Span, SpanKind } from '@opentelemetry/api'
import {
  BadBrokerRequestError,
  callModel,
  type ModelCall,
  streamModel,
  type Upstream,
  UpstreamError,
} from '#lib/broker'
import type { Clock } from '#lib/runtime'
import { attribute, inSpan } from '#lib/telemetry'
import type { GenerateRequest, GenerateResult, StreamLine } from '#lib/wire'
import type { Access, BrokeredSecret } from './access.ts'
import type { ContextRequest } from './context-routes.ts'
import { errorBody, parseBody, sendJson } from './exchange.ts'
import { failureOf } from './failure.ts'
import { GenerateBody } from './generate-body.ts'

export interface ModelRouteOptions {
  access: Access
  upstream: Upstream
  clock: Clock
}

/** `POST /v1/model/generate` and `/v1/model/stream`. */
export class ModelRoute {
  readonly #options: ModelRouteOptions

  constructor(options: ModelRouteOptions) {
    this.#options = options
  }

  /** One answer. */
  async generate(asked: ContextRequest, response: ServerResponse, body: unknown): Promise<void> {
    const prepared = this.#prepare(asked, body)
    const result = await this.#inChatSpan(asked, prepared, async (span) => {
      const ask = (secret: BrokeredSecret) => callModel(this.#call(asked, prepared, secret))
      const answer = await this.#withKey(asked, prepared, ask)
      describe(span, answer)
      return answer
    })
    sendJson(response, 200, result)
  }

  /** The same as NDJSON lines. Before the first line an error is an HTTP status, after it a line. */
  async stream(asked: ContextRequest, response: ServerResponse, body: unknown): Promise<void> {
    const prepared = this.#prepare(asked, body)
    const free = asked.attempt.budget.connect()
    try {
      await this.#inChatSpan(asked, prepared, async (span) => {
        const begin = (secret: BrokeredSecret) => begun(streamModel(this.#call(asked, prepared, secret)))
        for await (const line of await this.#withKey(asked, prepared, begin)) {
          if ('end' in line) describe(span, line.end)
          await write(response, line)
        }
      })
      response.end()
    } catch (error) {
      if (!response.headersSent || response.destroyed) throw error
      response.end(`${JSON.stringify(errorBody(failureOf(error)))}\n`)
    } finally {
      free()
    }
  }

  /** Asks with the key of the model. One that the provider refuses may have been rotated: then once more, with a newer one. */
  async #withKey<T>(
    { attempt }: ContextRequest,
    { secret: named }: Prepared,
    ask: (secret: BrokeredSecret) => Promise<T>,
  ): Promise<T> {
    const { access } = this.#options
    const secret = await access.brokered(attempt, named, 'model')
    try {
      return await ask(secret)
    } catch (error) {
      const isRefused = error instanceof UpstreamError && error.type === 'upstream-unauthorized'
      const newer = isRefused ? await access.newer(attempt, secret, 'model') : undefined
      if (!newer) throw error
      return await ask(newer)
    }
  }

  #prepare({ attempt }: ContextRequest, body: unknown): Prepared {
    const request = parseBody(GenerateBody, body)
    if ((request.prompt === undefined) === (request.messages === undefined))
      throw new BadBrokerRequestError('give either "prompt" or "messages"')
    return { request, ...this.#options.access.modelOf(attempt, request.model) }
  }

  #call({ attempt, signal }: ContextRequest, prepared: Prepared, secret: BrokeredSecret): ModelCall {
    const { access, upstream, clock } = this.#options
    return {
      upstream,
      provider: prepared.provider,
      secret: access.carried(attempt, secret),
      request: { ...prepared.request, model: prepared.model },
      limits: { budget: attempt.budget, signal, timeoutMs: attempt.callTimeoutMs(clock.now()) },
    }
  }

  #inChatSpan<T>(
    asked: ContextRequest,
    { model: named, provider }: Prepared,
    work: (span: Span) => Promise<T>,
  ): Promise<T> {
    const model = asked.attempt.masked(named)
    const attributes = {
      [attribute.genAiOperation]: 'chat',
      [attribute.genAiProvider]: provider,
      [attribute.genAiRequestModel]: model,
    }
    return inSpan(
      `chat ${model}`,
      { kind: SpanKind.CLIENT, attributes, parent: asked.parent },
      async (span) => {
        try {
          return await work(span)
        } catch (error) {
          span.setAttribute(attribute.errorType, failureOf(error).type)
          throw error
        }
      },
    )
  }
}

interface Prepared {
  request: GenerateRequest
  model: string
  provider: 'anthropic' | 'openai'
  secret: Parameters<Access['brokered']>[1]
}

/** The lines once the first has come, so that what is wrong before it is an error of the asking. */
async function begun(lines: AsyncGenerator<StreamLine>): Promise<AsyncGenerator<StreamLine>> {
  const first = await lines.next()
  return resumed(first, lines)
}

async function* resumed(first: IteratorResult<StreamLine>, lines: AsyncGenerator<StreamLine>) {
  if (first.done) return
  yield first.value
  yield* lines
}

function describe(span: Span, { model, finishReason, usage }: GenerateResult): void {
  span.setAttributes({
    [attribute.genAiResponseModel]: model,
    [attribute.genAiFinishReasons]: [finishReason],
    [attribute.genAiInputTokens]: usage.inputTokens,
    [attribute.genAiOutputTokens]: usage.outputTokens,
  })
}

async function write(response: ServerResponse, line: StreamLine): Promise<void> {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  if (response.write(`${JSON.stringify(line)}\n`)) return
  await new Promise<void>((resolve) => {
    response.once('drain', resolve).once('close', resolve)
  })
}
